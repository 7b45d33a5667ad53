import Domain
import Schema

/// What a policy must look like, with its defaults filled in.
enum PolicyRules {
    static let tierLimit = 20

    /// - Throws: VALIDATION_FAILED with every violation.
    static func policy(_ message: BookingV1.Policy) throws(DomainError) -> BookingV1.Policy {
        var policy = message
        if policy.cancellation.isEmpty { policy.cancellation = "standard" }
        if policy.requestSeconds == 0 { policy.requestSeconds = 259_200 }
        if policy.holdSeconds == 0 { policy.holdSeconds = 600 }
        if policy.paymentSeconds == 0 { policy.paymentSeconds = 3600 }
        if policy.quantityLimit == 0 { policy.quantityLimit = 10 }
        if policy.offerSeconds == 0 { policy.offerSeconds = 1200 }
        policy.waitlistLimit = policy.waitlistLimit ?? 50
        if policy.holdLimit == 0 { policy.holdLimit = 5 }
        policy.checkInLeadSeconds = policy.checkInLeadSeconds ?? 43_200
        if policy.proofReviewSeconds == 0 { policy.proofReviewSeconds = 86_400 }
        var rules = FieldRules()
        code(policy.code, "policy.code", &rules)
        rules.text(policy.cancellation, "policy.cancellation", limit: 40)
        if !PolicyWords.entries.contains(where: { $0.0 == policy.entry }) {
            rules.refuse("policy.entry", "is required")
        }
        if !PolicyWords.payments.contains(where: { $0.0 == policy.payment }) {
            rules.refuse("policy.payment", "is required")
        }
        // Ten years: times of slots stay within what everybody can represent.
        let long: ClosedRange<Int64> = 0...315_360_000
        let limits: [(String, Int64, ClosedRange<Int64>)] = [
            ("request_seconds", Int64(policy.requestSeconds), 1...31_536_000),
            ("hold_seconds", Int64(policy.holdSeconds), 10...86_400),
            ("hold_extensions", Int64(policy.holdExtensions), 0...10),
            ("payment_seconds", Int64(policy.paymentSeconds), 60...604_800),
            ("notice_seconds", policy.noticeSeconds, long),
            ("window_seconds", policy.windowSeconds ?? 1, 1...long.upperBound),
            ("buffer_before_seconds", Int64(policy.bufferBeforeSeconds), 0...86_400),
            ("buffer_after_seconds", Int64(policy.bufferAfterSeconds), 0...86_400),
            ("quantity_limit", Int64(policy.quantityLimit), 1...1000),
            ("cancel_notice_seconds", policy.cancelNoticeSeconds, long),
            ("reschedule_notice_seconds", policy.rescheduleNoticeSeconds, long),
            ("reschedule_limit", Int64(policy.rescheduleLimit), 0...1000),
            ("no_show_grace_seconds", Int64(policy.noShowGraceSeconds), 0...604_800),
            ("offer_seconds", Int64(policy.offerSeconds), 60...86_400),
            ("waitlist_limit", Int64(policy.waitlistLimit ?? 0), 0...1000),
            ("hold_limit", Int64(policy.holdLimit), 1...1000),
            ("check_in_lead_seconds", policy.checkInLeadSeconds ?? 0, long),
            ("proof_review_seconds", Int64(policy.proofReviewSeconds), 60...2_592_000),
        ]
        for (name, value, range) in limits where !range.contains(value) {
            rules.refuse(
                "policy.\(name)", "is not between \(range.lowerBound) and \(range.upperBound)")
        }
        try rules.check()
        return policy
    }

    /// - Throws: VALIDATION_FAILED with every violation.
    static func check(_ policy: BookingV1.CancellationPolicy) throws(DomainError) {
        var rules = FieldRules()
        code(policy.code, "policy.code", &rules)
        rules.text(policy.name, "policy.name", limit: 200)
        if !(1...tierLimit).contains(policy.tiers.count) {
            rules.refuse("policy.tiers", "holds not between 1 and \(tierLimit)")
        } else if !policy.tiers.contains(where: { $0.noticeSeconds == 0 }) {
            rules.refuse("policy.tiers", "has none with notice 0")
        }
        for (index, tier) in policy.tiers.prefix(tierLimit).enumerated() {
            if !(0...315_360_000).contains(tier.noticeSeconds) {
                rules.refuse("policy.tiers[\(index)].notice_seconds", "is out of range")
            }
            if !(0...100).contains(tier.refundPercent) {
                rules.refuse(
                    "policy.tiers[\(index)].refund_percent", "is not between 0 and 100")
            }
        }
        if Set(policy.tiers.map(\.noticeSeconds)).count < policy.tiers.count {
            rules.refuse("policy.tiers", "names a notice twice")
        }
        try rules.check()
    }

    private static func code(_ code: String, _ field: String, _ rules: inout FieldRules) {
        if !ResourceKind.isKind(code) { rules.refuse(field, "is not a word in lower case") }
    }
}
