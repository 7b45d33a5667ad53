import Domain
import Environment
import Schema
import Testing

@testable import Booking

typealias Change = @Sendable (inout BookingV1.RegisterCourseRequest) -> Void

/// One broken field and what must be said about it.
struct BadForm: Sendable, CustomTestStringConvertible {
    let name: String
    let fields: [String]
    var code: CommonV1.ErrorCode = .validationFailed
    let change: Change

    init(
        _ name: String, _ fields: [String], _ code: CommonV1.ErrorCode = .validationFailed,
        _ change: @escaping Change
    ) {
        self.name = name
        self.fields = fields
        self.code = code
        self.change = change
    }

    var testDescription: String { name }

    static let slot = UUID.random().description

    static let people: [BadForm] = [
        BadForm("no name", ["full_name"]) { $0.fullName = "" },
        BadForm("blank name", ["full_name"]) { $0.fullName = "  " },
        BadForm("endless name", ["full_name"]) { $0.fullName = String(repeating: "x", count: 201) },
        BadForm("NUL in the name", ["full_name"]) { $0.fullName = "A\0B" },
        BadForm("no e-mail", ["email"]) { $0.email = "" },
        BadForm("bad e-mail", ["email"]) { $0.email = "ani@" },
        BadForm("no address", ["address"]) { $0.address = "" },
        BadForm("no birth place", ["birth_place"]) { $0.birthPlace = "" },
        BadForm("no birth date", ["birth_date"]) { $0.birthDate = "" },
        BadForm("impossible birth date", ["birth_date"]) { $0.birthDate = "2012-02-30" },
        BadForm("American birth date", ["birth_date"]) { $0.birthDate = "05/17/2012" },
        BadForm("born today", ["birth_date"]) { $0.birthDate = "2025-12-02" },
        BadForm("born tomorrow", ["birth_date"]) { $0.birthDate = "2025-12-03" },
        BadForm("no school", ["school"]) { $0.school = "" },
        BadForm("negative class", ["class"]) { $0.`class` = -1 },
        BadForm("class 21", ["class"]) { $0.`class` = 21 },
        BadForm("no guardian", ["guardian_name"]) { $0.guardianName = "" },
        BadForm("no WA number", ["guardian_wa_number"], .invalidWaNumber) {
            $0.guardianWaNumber = ""
        },
        BadForm("WA number with 0", ["guardian_wa_number"], .invalidWaNumber) {
            $0.guardianWaNumber = "081234567890"
        },
        BadForm("WA number of Singapore", ["guardian_wa_number"], .invalidWaNumber) {
            $0.guardianWaNumber = "+6581234567"
        },
        BadForm("WA number too short", ["guardian_wa_number"], .invalidWaNumber) {
            $0.guardianWaNumber = "+628123456"
        },
        BadForm("WA number too long", ["guardian_wa_number"], .invalidWaNumber) {
            $0.guardianWaNumber = "+6281234567890123"
        },
        BadForm("WA number with spaces", ["guardian_wa_number"], .invalidWaNumber) {
            $0.guardianWaNumber = "+62 812 3456 7890"
        },
        BadForm("WA number with other digits", ["guardian_wa_number"], .invalidWaNumber) {
            $0.guardianWaNumber = "+62٨١٢٣٤٥٦٧٨"
        },
        BadForm("no consent", ["consent"], .consentRequired) { $0.consent = false },
    ]

    static let wishes: [BadForm] = [
        BadForm("no course", ["course_id"]) { $0.courseId = "" },
        BadForm("course by code", ["course_id"]) { $0.courseId = "PIANO-101" },
        BadForm("no key", ["idempotency_key"]) { $0.idempotencyKey = "" },
        BadForm("endless key", ["idempotency_key"]) {
            $0.idempotencyKey = String(repeating: "k", count: 201)
        },
        BadForm("first choice is no UUID", ["first_choice_slot_id"]) {
            $0.firstChoiceSlotId = "slot"
        },
        BadForm("second choice is no UUID", ["second_choice_slot_id"]) {
            $0.secondChoiceSlotId = "slot"
        },
        BadForm("equal choices", ["second_choice_slot_id"]) {
            $0.firstChoiceSlotId = slot
            $0.secondChoiceSlotId = slot
        },
        BadForm("equal choices in other letters", ["second_choice_slot_id"]) {
            $0.firstChoiceSlotId = slot
            $0.secondChoiceSlotId = slot.uppercased()
        },
        BadForm("second choice alone", ["first_choice_slot_id"]) {
            $0.firstChoiceSlotId = nil
            $0.secondChoiceSlotId = slot
        },
        BadForm("Senin", ["preferred_days[1]"]) { $0.preferredDays = ["monday", "senin"] },
        BadForm("eight days", ["preferred_days"]) {
            $0.preferredDays = [String](repeating: "monday", count: 8)
        },
        BadForm("no start", ["preferred_time_range.start"]) { $0.preferredTimeRange?.start = "" },
        BadForm("no end", ["preferred_time_range.end"]) { $0.preferredTimeRange?.end = "" },
        BadForm("end at 24:00", ["preferred_time_range.end"]) {
            $0.preferredTimeRange?.end = "24:00"
        },
        BadForm("minute 60", ["preferred_time_range.start"]) {
            $0.preferredTimeRange?.start = "10:60"
        },
        BadForm("one-digit hour", ["preferred_time_range.start"]) {
            $0.preferredTimeRange?.start = "9:00"
        },
        BadForm("end before start", ["preferred_time_range.end"]) {
            $0.preferredTimeRange?.end = "14:00"
        },
        BadForm("end at the start", ["preferred_time_range.end"]) {
            $0.preferredTimeRange?.end = "15:00"
        },
        BadForm("empty proof", ["payment_proof"]) { $0.paymentProof = "" },
        BadForm("a proof elsewhere", ["payment_proof"]) {
            $0.paymentProof = "https://storage.example/\(UUID.random())"
        },
        BadForm("endless level", ["experience_level"]) {
            $0.experienceLevel = String(repeating: "x", count: 101)
        },
        BadForm("two codes of their own at once", ["guardian_wa_number", "consent"]) {
            $0.guardianWaNumber = "1"
            $0.consent = false
        },
    ]
}

struct RegistrationTests {
    static let today = LocalDate("2025-12-02")

    private func read(
        _ request: BookingV1.RegisterCourseRequest
    ) throws -> Registration {
        try Registration(request, today: try #require(Self.today))
    }

    @Test(
        "A-02…A-06: each broken field is named, with the precise code",
        arguments: BadForm.people + BadForm.wishes)
    func bad(_ form: BadForm) throws {
        var request = validForm()
        form.change(&request)
        let error = #expect(throws: DomainError.self) { try read(request) }
        #expect(error?.code == form.code)
        #expect(error?.violations.map(\.field) == form.fields)
    }

    @Test("A-02: all violations are told at once, in the order of the form, without values")
    func all() throws {
        let error = #expect(throws: DomainError.self) {
            try read(BookingV1.RegisterCourseRequest())
        }
        #expect(error?.code == .validationFailed)
        #expect(
            error?.violations.map(\.field) == [
                "course_id", "full_name", "email", "address", "birth_place", "school",
                "guardian_name", "guardian_wa_number", "consent", "birth_date", "idempotency_key",
            ])
    }

    @Test("A-02: what is optional may be absent")
    func optional() throws {
        var request = validForm()
        request.firstChoiceSlotId = nil
        request.secondChoiceSlotId = nil
        request.paymentProof = nil
        request.preferredDays = []
        request.preferredTimeRange = nil
        request.experienceLevel = ""
        request.captchaToken = ""
        request.`class` = 0
        let registration = try read(request)
        #expect(registration.firstChoice == nil)
        #expect(registration.secondChoice == nil)
    }

    @Test("X-07: the same person whatever the letters of the e-mail")
    func normalised() throws {
        var request = validForm()
        request.email = "Ani.W@Example.COM"
        #expect(try read(request).normalisedEmail == "ani.w@example.com")
    }

    @Test(
        "A-04: numbers that WhatsApp knows",
        arguments: ["+6281234567", "+6281234567890", "+628123456789012"])
    func goodNumber(_ number: String) {
        #expect(Registration.isWhatsAppNumber(number))
    }
}

/// A valid form with two choices.
func validForm() -> BookingV1.RegisterCourseRequest {
    form("ani@example.com", .random(), .random(), .random())
}
