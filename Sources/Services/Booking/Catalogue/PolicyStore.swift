import Domain
import Postgres
import Protobuf
import Schema

/// The SQL of policies: rules of booking as rows, so that trades differ by rows only.
struct PolicyStore: Sendable {
    let pool: PostgresPool

    func list() async throws -> BookingV1.ListPoliciesResponse {
        let results = try await pool.atomically(
            [
                """
                select code, entry, payment, cancellation, request_seconds, hold_seconds,
                    hold_extensions, payment_seconds, notice_seconds, window_seconds,
                    buffer_before_seconds, buffer_after_seconds, quantity_limit,
                    cancel_notice_seconds, reschedule_notice_seconds, reschedule_limit,
                    no_show_grace_seconds, offer_seconds, waitlist_limit, no_show_auto, hold_limit,
                    check_in_lead_seconds, proof_review_seconds
                from policy order by code
                """,
                """
                select p.code, p.name, t.notice_seconds, t.refund_percent
                from cancellation_policy p join cancellation_tier t on t.policy = p.code
                order by p.code, t.notice_seconds
                """,
            ], options: TransactionOptions(isReadOnly: true))
        var response = BookingV1.ListPoliciesResponse()
        response.policies = try results[0].map(Self.read)
        for row in results[1] {
            let code: String = try row[0]
            if response.cancellationPolicies.last?.code != code {
                var policy = BookingV1.CancellationPolicy()
                (policy.code, policy.name) = (code, try row[1])
                response.cancellationPolicies.append(policy)
            }
            var tier = BookingV1.CancellationTier()
            (tier.noticeSeconds, tier.refundPercent) = (try row[2], try row[3])
            response.cancellationPolicies[response.cancellationPolicies.count - 1].tiers
                .append(tier)
        }
        return response
    }

    private static func read(_ row: PostgresRow) throws -> BookingV1.Policy {
        var policy = BookingV1.Policy()
        policy.code = try row[0]
        policy.entry = PolicyWords.entries.first { $0.1 == (try? row[1]) }?.0 ?? .unspecified
        policy.payment = PolicyWords.payments.first { $0.1 == (try? row[2]) }?.0 ?? .unspecified
        policy.cancellation = try row[3]
        policy.requestSeconds = try row[4]
        policy.holdSeconds = try row[5]
        policy.holdExtensions = try row[6]
        policy.paymentSeconds = try row[7]
        policy.noticeSeconds = try row[8]
        policy.windowSeconds = try row[9]
        policy.bufferBeforeSeconds = try row[10]
        policy.bufferAfterSeconds = try row[11]
        policy.quantityLimit = try row[12]
        policy.cancelNoticeSeconds = try row[13]
        policy.rescheduleNoticeSeconds = try row[14]
        policy.rescheduleLimit = try row[15]
        policy.noShowGraceSeconds = try row[16]
        (policy.offerSeconds, policy.waitlistLimit) = (try row[17], try row[18])
        policy.noShowAuto = try row[19]
        policy.holdLimit = try row[20]
        policy.checkInLeadSeconds = try row[21]
        policy.proofReviewSeconds = try row[22]
        return policy
    }

    /// Creates or changes a checked policy.
    /// - Throws: POLICY_NOT_FOUND for an unknown cancellation policy.
    func save(_ policy: BookingV1.Policy, _ transaction: PostgresTransaction) async throws {
        let entry = PolicyWords.entries.first { $0.0 == policy.entry }?.1 ?? ""
        let payment = PolicyWords.payments.first { $0.0 == policy.payment }?.1 ?? ""
        do {
            try await transaction.execute(
                """
                insert into policy (code, entry, payment, cancellation, request_seconds,
                    hold_seconds, hold_extensions, payment_seconds, notice_seconds, window_seconds,
                    buffer_before_seconds, buffer_after_seconds, quantity_limit,
                    cancel_notice_seconds, reschedule_notice_seconds, reschedule_limit,
                    no_show_grace_seconds, offer_seconds, waitlist_limit, no_show_auto, hold_limit,
                    check_in_lead_seconds, proof_review_seconds)
                values (\(policy.code), \(entry), \(payment), \(policy.cancellation),
                    \(policy.requestSeconds), \(policy.holdSeconds), \(policy.holdExtensions),
                    \(policy.paymentSeconds), \(policy.noticeSeconds),
                    \(nullable: policy.windowSeconds), \(policy.bufferBeforeSeconds),
                    \(policy.bufferAfterSeconds), \(policy.quantityLimit),
                    \(policy.cancelNoticeSeconds), \(policy.rescheduleNoticeSeconds),
                    \(policy.rescheduleLimit), \(policy.noShowGraceSeconds),
                    \(policy.offerSeconds), \(nullable: policy.waitlistLimit), \(policy.noShowAuto),
                    \(policy.holdLimit), \(policy.checkInLeadSeconds ?? 0),
                    \(policy.proofReviewSeconds))
                on conflict (code) do update set entry = excluded.entry,
                    payment = excluded.payment, cancellation = excluded.cancellation,
                    request_seconds = excluded.request_seconds,
                    hold_seconds = excluded.hold_seconds,
                    hold_extensions = excluded.hold_extensions,
                    payment_seconds = excluded.payment_seconds,
                    notice_seconds = excluded.notice_seconds,
                    window_seconds = excluded.window_seconds,
                    buffer_before_seconds = excluded.buffer_before_seconds,
                    buffer_after_seconds = excluded.buffer_after_seconds,
                    quantity_limit = excluded.quantity_limit,
                    cancel_notice_seconds = excluded.cancel_notice_seconds,
                    reschedule_notice_seconds = excluded.reschedule_notice_seconds,
                    reschedule_limit = excluded.reschedule_limit,
                    no_show_grace_seconds = excluded.no_show_grace_seconds,
                    offer_seconds = excluded.offer_seconds,
                    waitlist_limit = excluded.waitlist_limit,
                    no_show_auto = excluded.no_show_auto, hold_limit = excluded.hold_limit,
                    check_in_lead_seconds = excluded.check_in_lead_seconds,
                    proof_review_seconds = excluded.proof_review_seconds,
                    updated_at = clock_timestamp()
                """)
        } catch let error as PostgresError where error.sqlState == .foreignKeyViolation {
            throw DomainError(.policyNotFound, "there is no such cancellation policy")
        }
    }

    func delete(_ code: String, _ transaction: PostgresTransaction) async throws {
        try await Deletion.run(
            "delete from policy where code = \(code)", "the policy", transaction)
    }

    /// Bookings keep the tiers that they were made under.
    func save(
        _ policy: BookingV1.CancellationPolicy, _ transaction: PostgresTransaction
    ) async throws {
        let tiers: [SQL] = policy.tiers.map {
            "(\(policy.code), \($0.noticeSeconds)::bigint, \($0.refundPercent)::int)"
        }
        _ = try await transaction.batch([
            """
            insert into cancellation_policy (code, name) values (\(policy.code), \(policy.name))
            on conflict (code) do update set name = excluded.name
            """,
            "delete from cancellation_tier where policy = \(policy.code)",
            """
            insert into cancellation_tier (policy, notice_seconds, refund_percent)
            values \(tiers.joined())
            """,
        ])
    }
}

/// The words of the table for the values of the contract.
enum PolicyWords {
    static let entries: [(BookingV1.Entry, String)] = [
        (.request, "request"), (.hold, "hold"), (.external, "external"),
    ]
    static let payments: [(BookingV1.PaymentMode, String)] = [
        (.notRequired, "not_required"), (.atDesk, "at_desk"), (.manual, "manual"),
        (.online, "online"),
    ]
}
