import Foundation
import HTTP1
import Protobuf
import TestKit
import Testing

extension EndToEnd {
    /// The clinic's customer and its desk, each in a browser window; PostgreSQL, Kafka and a
    /// payment provider (the pretended one) behind them.
    @Suite("The clinic in Debian's chromium")
    struct ClinicTests {
        typealias Mode = SystemUnderTest.Mode

        @Test(
            "E-19, E-20, E-24: held, paid, shown at the desk, checked in; another one is cancelled")
        func story() async throws {
            try await Browsing.of(.oneProcess) { browsing in
                let clinic = try await Clinic(browsing.stage)
                let token = try await book(browsing, clinic, slot: 0)
                try await desk(browsing, clinic, token)
                try await cancelled(browsing, clinic)
                try await paidAndMovedAtTheDesk(browsing, clinic)
            }
        }

        @Test(
            "a browser whose clock is an hour off counts as the server does, loaded again, too",
            arguments: [3600, -3600])
        func skewed(seconds: Int) async throws {
            try await Browsing.of(.oneProcess) { browsing in
                let clinic = try await Clinic(browsing.stage)
                let id = clinic.course.slots[0]
                let url = "http://127.0.0.1:\(browsing.stage.system.port)/book"
                let window = try await browsing.driver.window()
                try await window.setClock(ahead: seconds)
                try await window.open("\(url)#\(clinic.course.code)")
                let shown =
                    try await window.run("return Math.round(Date.now() / 1000)").integer ?? 0
                #expect(abs(Double(shown) - Date().timeIntervalSince1970) > 3000)
                try await window.click(slot(id) + " [data-action=hold]")
                for _ in 0..<2 {
                    try await window.wait("#hold[data-state=pending]")
                    let left = try await window.attribute("data-seconds", of: "#hold-clock")
                    #expect((400...600).contains(Int(left ?? "") ?? 0))
                    try await window.open("\(url)?again#\(clinic.course.code)")
                }
                await window.close()
            }
        }

        /// An offering that is booked by a hold and paid online, with three times in a row.
        private struct Clinic {
            let location: String
            let course: Stage.Course
            let date: String

            init(_ stage: Stage) async throws {
                let mark = UUID().uuidString.prefix(8)
                location = UUID().uuidString.lowercased()
                let place: JSONValue = [
                    "code": .string("CLINIC-\(mark)"), "name": .string("Klinik \(mark)"),
                    "time_zone": "Asia/Jakarta",
                ]
                let saved = try await stage.admin.send(
                    .put, "/api/locations/\(location)", body: place.encoded())
                try #require(saved.status == 200, "\(saved)")
                // Nobody is checked in half a day before. In one hour: two on the same day there.
                let soon = Stage.soon
                course = try await stage.course(
                    [0, 0.5, 1].map { .init(hour: soon + $0, hours: 0.5) },
                    claimAt: "publish",
                    more: [
                        ("location_id", .string(location)), ("policy", "clinic"),
                        ("price", "150000"), ("kind", "service"),
                    ])
                // Jakarta is seven hours ahead.
                date = String(Stage.time(soon + 7).prefix(10))
            }
        }

        private func slot(_ id: String) -> String { Browsing.slot(id) }

        /// From the open time to the booking that waits for its payment, and its manage token.
        private func reserve(
            _ browsing: Browsing, _ clinic: Clinic, _ id: String
        ) async throws -> (window: BrowserWindow, token: String) {
            let window = try await browsing.page("/book#\(clinic.course.code)", slot(id))
            #expect(try await window.text(of: slot(id)).contains("150.000"))
            try await window.click(slot(id) + " [data-action=hold]")
            try await window.wait("#hold[data-state=pending]")
            let seconds = try await window.attribute("data-seconds", of: "#hold-clock")
            #expect((500...600).contains(Int(seconds ?? "") ?? 0))
            for (name, value) in [
                "full_name": "Dewi Lestari", "email": "dewi@contoh.id", "phone": "081234567890",
                "subject_name": "Momo",
            ] {
                try await window.type(value, into: "#contact-form [name=\(name)]")
            }
            try await window.click("#consent")
            try await window.click("#submit")
            try await window.wait("#booking[data-status=pending_payment]")
            return (window, try await window.run("return location.hash.slice(1)").string ?? "")
        }

        /// From the open time to the confirmed booking; the manage token.
        private func book(
            _ browsing: Browsing, _ clinic: Clinic, slot index: Int
        ) async throws -> String {
            let id = clinic.course.slots[index]
            let other = try await browsing.page("/book#\(clinic.course.code)", slot(id))
            let (window, token) = try await reserve(browsing, clinic, id)
            // Everybody watching has seen it.
            try await other.waitGone(slot(id) + "[data-open=true]")
            try await window.click("#pay")
            // The provider sends its customer back.
            try await window.follow("button[value=pay]")
            try await window.wait("#booking[data-status=confirmed][data-payment-status=paid]")
            // The picture of the code has arrived.
            let width = try await eventually {
                try await window.run("return document.querySelector('#qr').naturalWidth").integer
                    ?? 0 > 0
            }
            #expect(width)
            await other.close()
            await window.close()
            return token
        }

        /// The desk sees the booking, reads its ledger, checks it in and completes it.
        private func desk(
            _ browsing: Browsing, _ clinic: Clinic, _ token: String
        ) async throws {
            let shown = try await browsing.stage.visitor.get("/api/bookings/manage/\(token)").data
            let booking = try shown["booking"].id
            let admin = try await browsing.admin()
            try await show(clinic, admin)
            let row = "[data-testid=desk-booking][data-case='\(booking)']"
            try await admin.wait(row + "[data-status=confirmed][data-payment-status=paid]")
            #expect(try await admin.text(of: row).contains("Momo"))
            try await admin.click(row)
            try await admin.wait("#case-dialog [data-testid=payment][data-status=completed]")
            #expect(try await admin.count("#case-dialog [data-testid=history-entry]") >= 2)
            try await admin.click("#case-dialog [data-close]")
            let code = try #require(shown["qr_token"]?.string)
            try await admin.type(code, into: "#check-in-token")
            try await admin.click("#check-in-form button")
            try await admin.wait(row + "[data-status=in_progress]")
            try await admin.click(row)
            try await admin.click("[data-case-action=complete]")
            try await admin.wait("#case-dialog[data-status=completed]")
            await admin.close()
        }

        /// A paid booking that its customer cancels: nine tenths go back, the time is free again.
        private func cancelled(
            _ browsing: Browsing, _ clinic: Clinic
        ) async throws {
            let token = try await book(browsing, clinic, slot: 1)
            let waiting = try await joined(browsing, clinic)
            let window = try await browsing.page("/booking#\(token)", "#cancel")
            try await window.click("#cancel")
            try await window.wait("#cancel-quote[data-refund='135000']")
            try await window.click("#cancel-submit")
            try await window.wait("#booking[data-status=cancelled]")
            try await window.wait("#booking[data-payment-status=partially_refunded]")
            try await window.click("#history summary")
            try await window.wait("[data-testid=history-entry][data-to=confirmed]")
            try await window.wait("[data-testid=history-entry][data-to=cancelled]")
            await window.close()
            try await claimed(waiting)
            let fresh = try await browsing.page(
                "/book#\(clinic.course.code)", slot(clinic.course.slots[1]))
            try await fresh.wait(slot(clinic.course.slots[1]) + "[data-open=true]")
            await fresh.close()
        }

        /// Whoever does not pay online pays at the desk: the case says how much, and keeps how. Then
        /// the desk moves the booking, and the customer's page follows by itself.
        private func paidAndMovedAtTheDesk(
            _ browsing: Browsing, _ clinic: Clinic
        ) async throws {
            let (window, token) = try await reserve(browsing, clinic, clinic.course.slots[1])
            let shown = try await browsing.stage.visitor.get("/api/bookings/manage/\(token)").data
            let booking = try shown["booking"].id
            let admin = try await browsing.admin()
            try await show(clinic, admin)
            let row = "[data-testid=desk-booking][data-case='\(booking)']"
            try await admin.click(row + "[data-status=pending_payment]")
            try await admin.wait("#case-desk[data-due='150000']")
            try await admin.run("document.querySelector('#case-method').value = 'card'")
            try await admin.type("EDC 0815", into: "#case-reference")
            try await admin.click("[data-case-action=pay]")
            try await admin.wait("#case-dialog[data-status=confirmed][data-payment-status=paid]")
            let line = "#case-dialog [data-testid=payment][data-status=completed]"
            #expect(try await admin.text(of: line).contains("EDC 0815"))
            try await admin.waitGone("#case-desk[data-due]")
            // Nobody has touched the customer's page.
            let paid = "[data-status=confirmed][data-payment-status=paid]"
            try await window.wait("#booking[data-booking-id='\(booking)']\(paid)")
            try await admin.click("[data-case-action=reschedule]")
            try await admin.click(
                "[data-testid=other-slot][data-slot-id='\(clinic.course.slots[2])'] input")
            try await admin.click("#other-submit")
            let moved = "[data-booking-id]:not([data-booking-id='\(booking)'])\(paid)"
            try await admin.wait("#case-dialog\(moved)")
            await admin.close()
            try await window.wait("#booking\(moved)")
            await window.close()
        }

        /// A window in which somebody waits for the second time, which is full.
        private func joined(_ browsing: Browsing, _ clinic: Clinic) async throws -> BrowserWindow {
            let full = "[data-testid=full-slot][data-slot-id='\(clinic.course.slots[1])']"
            let window = try await browsing.page("/book#\(clinic.course.code)", full)
            try await window.click(full + " [data-action=wait]")
            try await window.type("Putri Ayu", into: "#wait-form [name=full_name]")
            try await window.type("putri@contoh.id", into: "#wait-form [name=email]")
            try await window.click("#wait-form [name=consent]")
            try await window.click("#wait-submit")
            try await window.wait(
                "[data-testid=waiting-entry][data-status=waiting][data-place='1']")
            let desk = try await browsing.admin()
            try await show(clinic, desk)
            try await desk.wait("[data-testid=desk-waiting][data-status=waiting]")
            await desk.close()
            return window
        }

        /// The freed time is offered where somebody waits, without anything being pressed; it is
        /// taken there, and given back.
        private func claimed(_ window: BrowserWindow) async throws {
            let entry = "[data-testid=waiting-entry][data-status=offered]"
            try await window.wait(entry)
            let seconds = try await window.attribute("data-seconds", of: entry + " .hold-clock")
            #expect((1000...1200).contains(Int(seconds ?? "") ?? 0))
            try await window.click(entry + " [data-action=claim]")
            try await window.wait("#hold[data-state=pending]")
            try await window.click("#hold-release")
            try await window.waitGone("[data-testid=waiting-entry]")
            await window.close()
        }

        /// The clinic's day on the desk.
        private func show(_ clinic: Clinic, _ window: BrowserWindow) async throws {
            try await window.run(
                """
                const place = document.querySelector('#desk-location');
                place.value = '\(clinic.location)'; place.dispatchEvent(new Event('change'));
                const date = document.querySelector('#desk-date');
                date.value = '\(clinic.date)'; date.dispatchEvent(new Event('change'));
                """)
        }
    }
}
