import Foundation
import Protobuf
import TestKit
import Testing

extension EndToEnd {
    @Suite("The two pages in Debian's chromium")
    struct BrowserTests {
        typealias Mode = SystemUnderTest.Mode

        @Test(
            "A-29: registered in one window, assigned in another, watched in a third",
            arguments: Mode.allCases)
        func story(_ mode: Mode) async throws {
            try await Browsing.of(mode) { browsing in
                let stage = browsing.stage
                let course = try await stage.course([
                    .init(hour: 1, capacity: 2), .init(hour: 1.5, room: 1), .init(hour: 4),
                    .init(hour: 6), .init(hour: 8), .init(hour: 10),
                ])
                let page = "/#\(course.code)"
                let watcher = try await browsing.page(page, "[data-testid=slot]")
                let first = slot(course.slots[0])
                #expect(try await watcher.attribute("data-remaining", of: first) == "2")
                let admin = try await browsing.admin(wrongly: true)
                // Whoever reloads loses this mark.
                for window in [watcher, admin] { try await window.run("window.mark = 'kept'") }

                let student = try await browsing.page(page, "[data-testid=slot]")
                let booking = try await register(student, course, proof: stage.system.folder)
                try await proof(stage, admin, student, booking)
                try await assign(admin, booking)
                try await watcher.wait(first + "[data-remaining='1']")
                // The overlapping class of the same instructor is no longer offered.
                let gone = try await eventually {
                    try await watcher.count(slot(course.slots[1]) + "[data-open=true]") == 0
                }
                #expect(gone)
                #expect(try await stage.status(of: booking) == "confirmed")
                try await conflict(stage, admin, course)
                for window in [watcher, admin] {
                    #expect(try await window.run("return window.mark").string == "kept")
                }
                for window in [watcher, admin, student] { await window.close() }
            }
        }

        @Test("Indonesian and English, and a wrong form", arguments: [Mode.oneProcess])
        func languages(_ mode: Mode) async throws {
            try await Browsing.of(mode) { browsing in
                let (stage, driver) = (browsing.stage, browsing.driver)
                let course = try await stage.course([.init(hour: 1), .init(hour: 4)])
                for path in ["/#\(course.code)", "/admin"] {
                    let window = try await driver.window(language: "id")
                    try await window.open("http://127.0.0.1:\(stage.system.port)\(path)")
                    try await window.wait("h1")
                    var titles: [String] = []
                    for language in ["id", "en"] {
                        try await window.click("[data-language=\(language)]")
                        #expect(try await window.attribute("lang", of: "html") == language)
                        titles.append(try await window.text(of: "main"))
                    }
                    #expect(titles[0] != titles[1])
                    await window.close()
                }
                let window = try await browsing.page("/#\(course.code)", "[data-testid=slot]")
                try await window.click("#submit")
                try await window.wait("#form-error")
                #expect(!(try await window.text(of: "[data-error-for=full_name]")).isEmpty)
                #expect(!(try await window.text(of: "[data-error-for=consent]")).isEmpty)
                #expect(
                    try await stage.system.sql(
                        "select count(*) from booking.booking where offering_id = '\(course.id)'")
                        == "0")
                await window.close()
            }
        }

        @Test(
            "X-24: whose wish was given to another asks for what is free on the page of the link",
            arguments: [Mode.oneProcess])
        func wish(_ mode: Mode) async throws {
            try await Browsing.of(mode) { browsing in
                let stage = browsing.stage
                let course = try await stage.course([
                    .init(hour: 1), .init(hour: 3), .init(hour: 5),
                ])
                let answer = try await stage.visitor.expect(
                    201, Stage.registerPath,
                    Stage.registration(course, first: course.slots[0]))
                let token = try #require(answer["manage_token"]?.string)
                let window = try await browsing.page(
                    "/booking#\(token)", "#booking[data-version='1']")
                let winner = try await stage.confirmed(course, first: course.slots[0])
                #expect(try await stage.assign(winner, course.slots[0]).status == 200)
                let near = "[data-testid=alternative][data-slot-id='\(course.slots[1])']"
                try await window.click(near + " [data-action=wish]")
                try await window.wait("#booking[data-version='2']")
                #expect(try await window.count("#choices-gone[hidden]") == 1)
                // Another time from the whole list: the wish before becomes the second.
                try await window.click("#reschedule")
                try await window.click(slot(course.slots[2]) + " [data-action=move]")
                try await window.wait("#booking[data-version='3']")
                let choices = try await stage.system.sql(
                    """
                    select first_choice_slot_id || ' ' || second_choice_slot_id
                    from booking.booking where id = '\(try answer["booking"].id)'
                    """)
                #expect(choices == "\(course.slots[2]) \(course.slots[1])")
                await window.close()
            }
        }

        private func slot(_ id: String) -> String { Browsing.slot(id) }

        /// Fills in the form and submits; the booking's id.
        private func register(
            _ window: BrowserWindow, _ course: Stage.Course, proof folder: URL
        ) async throws -> String {
            try await window.click(slot(course.slots[0]) + " button[data-choice=first]")
            try await window.click(slot(course.slots[2]) + " button[data-choice=second]")
            #expect(
                try await window.attribute("data-slot-id", of: "#first-choice") == course.slots[0])
            for (name, value) in [
                "full_name": "Kirana Putri", "email": "kirana.\(course.code)@contoh.id",
                "birth_place": "Bandung", "address": "Jl. Melati 1", "school": "SD Harapan",
                "class": "5", "guardian_name": "Ibu Putri", "guardian_wa_number": "+6281234567890",
            ] {
                try await window.type(value, into: "#register-form [name=\(name)]")
            }
            try await window.run("document.querySelector('[name=birth_date]').value = '2015-05-15'")
            let receipt = folder.appendingPathComponent("receipt-\(course.code).pdf")
            try Data("%PDF-1.4 paid".utf8).write(to: receipt)
            try await window.type(receipt.path, into: "#payment_proof")
            try await window.click("#consent")
            try await window.click("#submit")
            try await window.wait("#result[data-status=pending]")
            return try #require(try await window.attribute("data-booking-id", of: "#result"))
        }

        /// The uploaded proof is the booking's; the admin finds it, a stranger does not.
        private func proof(
            _ stage: Stage, _ admin: BrowserWindow, _ student: BrowserWindow, _ booking: String
        ) async throws {
            let row = "#pending [data-booking-id='\(booking)']"
            let id = try await stage.system.sql(
                "select id from booking.payment_proof where booking_id = '\(booking)'")
            let link = row + " a[href$='/api/booking/payment-proofs/\(id)']"
            try await admin.wait(row)
            try await admin.click(row + " summary")
            try await admin.wait(link)
            let path = "/api/booking/payment-proofs/\(id)"
            let file = try await stage.admin.get(path)
            #expect(file.status == 200 && file.body == Array("%PDF-1.4 paid".utf8))
            #expect(file.header("content-type") == "application/pdf")
            #expect(try await stage.visitor.get(path).status == 401)
            let href = try await student.attribute("href", of: "#manage-link")
            let token = try #require(href?.split(separator: "#").last)
            let shown = try await stage.visitor.get("/api/bookings/manage/\(token)").data
            #expect(try shown["booking"].id == booking)
        }

        /// The admin sees the request come, confirms it and gives it its first choice.
        private func assign(_ admin: BrowserWindow, _ booking: String) async throws {
            let row = "[data-booking-id='\(booking)']"
            try await admin.wait("#pending \(row)")
            #expect(
                try await admin.text(of: "#pending \(row) [data-testid=applicant]")
                    .contains("Kirana Putri"))
            try await admin.click("#pending \(row) button[data-action=confirm]")
            try await admin.click("#needs-slot \(row) button[data-action=assign-first]")
            try await admin.waitGone(row)
        }

        /// Another student wants the class that the instructor can no longer give.
        private func conflict(
            _ stage: Stage, _ admin: BrowserWindow, _ course: Stage.Course
        ) async throws {
            let id = try Optional(try await stage.register(course, first: course.slots[1])).id
            let row = "[data-booking-id='\(id)']"
            try await admin.click("#pending \(row) button[data-action=confirm]")
            try await admin.click("#needs-slot \(row) button[data-action=assign-first]")
            let conflict = row + " [data-testid=conflict]"
            try await admin.wait(conflict)
            #expect(try await admin.attribute("data-code", of: conflict) == "SCHEDULE_CONFLICT")
            #expect(try await admin.count(conflict + " [data-testid=conflict-item]") >= 1)
            let alternatives = try await admin.count(conflict + " [data-testid=alternative]")
            #expect((1...3).contains(alternatives))
            let chosen = try await admin.attribute(
                "data-slot-id", of: conflict + " [data-testid=alternative]")
            try await admin.click(conflict + " [data-testid=alternative]")
            try await admin.waitGone(row)
            let slot = try await stage.system.sql(
                "select confirmed_slot_id from booking.booking where id = '\(id)'")
            #expect(slot == chosen)
        }
    }
}
