public import Domain
public import Environment
public import Schema

/// A student's request after validation: what is personal, apart from what is not.
public struct Registration: Sendable {
    public let courseID: UUID
    public let firstChoice: UUID?
    public let secondChoice: UUID?
    public let birthDate: LocalDate
    /// Lower-cased e-mail: who is "the same person".
    public let normalisedEmail: String
    public let idempotencyKey: String
    /// The upload that shows a payment.
    public let proof: UUID?
    public let request: BookingV1.RegisterCourseRequest

    static let dayNames: Set<String> = [
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    ]

    /// Checks every field before anything is looked up (A-02…A-06).
    /// - Parameter proofs: where uploads are found.
    /// - Throws: CONSENT_REQUIRED, INVALID_WA_NUMBER when that alone is wrong, otherwise
    ///   VALIDATION_FAILED with all violations.
    public init(
        _ request: BookingV1.RegisterCourseRequest, today: LocalDate,
        proofs: ProofAddress = ProofAddress(site: "")
    ) throws(DomainError) {
        var rules = FieldRules()
        let course = rules.uuid(request.courseId, "course_id")
        Self.checkPerson(request, &rules)
        let birthDate = rules.date(request.birthDate, "birth_date")
        if let birthDate, birthDate >= today { rules.refuse("birth_date", "is not in the past") }
        Self.checkPreferences(request, &rules)
        firstChoice = rules.optionalUUID(request.firstChoiceSlotId, "first_choice_slot_id")
        secondChoice = rules.optionalUUID(request.secondChoiceSlotId, "second_choice_slot_id")
        if let firstChoice, firstChoice == secondChoice {
            rules.refuse("second_choice_slot_id", "is the same as the first choice")
        }
        if request.firstChoiceSlotId == nil, request.secondChoiceSlotId != nil {
            rules.refuse("first_choice_slot_id", "is required when there is a second choice")
        }
        proof = Self.proof(request, proofs, &rules)
        rules.text(request.idempotencyKey, "idempotency_key", limit: 200)
        try Self.throwMostPrecise(rules, request)
        guard let course, let birthDate else { throw rules.refusal }
        courseID = course
        self.birthDate = birthDate
        normalisedEmail = Applicant.normalised(request.email)
        idempotencyKey = request.idempotencyKey
        self.request = request
    }

    var applicantKey: [UInt8] { Applicant.key(email: normalisedEmail) }

    private static func checkPerson(
        _ request: BookingV1.RegisterCourseRequest, _ rules: inout FieldRules
    ) {
        rules.text(request.fullName, "full_name", limit: 200)
        rules.email(request.email, "email")
        rules.text(request.address, "address", limit: 500)
        rules.text(request.birthPlace, "birth_place", limit: 200)
        rules.text(request.school, "school", limit: 200)
        if !(0...20).contains(request.`class`) { rules.refuse("class", "is not between 0 and 20") }
        rules.text(request.guardianName, "guardian_name", limit: 200)
        if !isWhatsAppNumber(request.guardianWaNumber) {
            rules.refuse("guardian_wa_number", "does not start with +62 and 8 to 13 digits")
        }
        if !request.consent { rules.refuse("consent", "must be true") }
    }

    private static func checkPreferences(
        _ request: BookingV1.RegisterCourseRequest, _ rules: inout FieldRules
    ) {
        rules.text(request.experienceLevel, "experience_level", limit: 100, required: false)
        if request.preferredDays.count > 7 {
            rules.refuse("preferred_days", "names more than seven days")
        }
        for (index, day) in request.preferredDays.prefix(7).enumerated()
        where !dayNames.contains(day) {
            rules.refuse("preferred_days[\(index)]", "is not the English name of a day")
        }
        if let range = request.preferredTimeRange {
            if !isTime(range.start) {
                rules.refuse("preferred_time_range.start", "is not a time of the form HH:MM")
            }
            if !isTime(range.end) {
                rules.refuse("preferred_time_range.end", "is not a time of the form HH:MM")
            } else if isTime(range.start), range.end <= range.start {
                rules.refuse("preferred_time_range.end", "is not after the start")
            }
        }
    }

    private static func proof(
        _ request: BookingV1.RegisterCourseRequest, _ proofs: ProofAddress,
        _ rules: inout FieldRules
    ) -> UUID? {
        guard let text = request.paymentProof else { return nil }
        let id = text.utf8.count <= 500 ? proofs.id(in: text) : nil
        if id == nil {
            rules.refuse("payment_proof", "is neither the id nor the address of an upload here")
        }
        return id
    }

    /// The documents have codes of their own for two fields; they are told when nothing else is
    /// wrong.
    private static func throwMostPrecise(
        _ rules: FieldRules, _ request: BookingV1.RegisterCourseRequest
    ) throws(DomainError) {
        if rules.violations.count == 1, let only = rules.violations.first {
            if only.field == "consent" {
                throw DomainError(
                    .consentRequired, "consent is required", violations: rules.violations)
            }
            if only.field == "guardian_wa_number" {
                throw DomainError(
                    .invalidWaNumber, "the WhatsApp number must start with +62",
                    violations: rules.violations)
            }
        }
        try rules.check()
    }

    /// +62 and then 8 to 13 digits.
    static func isWhatsAppNumber(_ text: String) -> Bool {
        let digits = text.utf8.dropFirst(3)
        return text.hasPrefix("+62") && (8...13).contains(digits.count)
            && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    static func isTime(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":") else { return false }
        let digits = [0, 1, 3, 4].map { Int(bytes[$0]) - 48 }
        guard digits.allSatisfy({ (0...9).contains($0) }) else { return false }
        return digits[0] * 10 + digits[1] < 24 && digits[2] * 10 + digits[3] < 60
    }
}
