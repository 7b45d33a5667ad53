import Environment
import Postgres

/// How long a booking that waits for its payment keeps its seat while its proof is reviewed.
///
/// `booking.expires_at` is the one rule of when it lapses, for everybody, by the database's clock; a
/// proof moves it:
///
/// - sent in time: to `proof_review_seconds` from now, by the policy that the booking was made under,
///   but not beyond the slot's start, and never to earlier than it was;
/// - rejected: back to where it was before that proof, which is the charge's `expires_at`, but at
///   least ``another`` from now, so that a better proof can follow; not beyond the slot's start,
///   unless it was there before;
/// - approved: the booking is confirmed and does not lapse.
///
/// What has lapsed stays so, though nobody has written it down: its seat may be promised by now.
struct ProofReview: Sendable {
    let booking: UUID

    /// What a customer has at least after a proof was rejected.
    static let another = Duration.seconds(15 * 60)

    /// No row when the time to pay is over.
    var begin: SQL {
        let end: SQL = """
            clock_timestamp() + make_interval(secs => coalesce(p.proof_review_seconds, 86400))
            """
        return """
            update booking u set expires_at = greatest(u.expires_at, \(Self.beforeStart(end)))
            from \(PolicyTerms.ofBooking())
            where b.id = \(booking) and \(Self.isLive)
            returning u.expires_at
            """
    }

    /// - Parameter charge: the one that was rejected.
    func reject(_ charge: Payment) -> SQL {
        let end: SQL = """
            clock_timestamp() + make_interval(secs => \(Self.another.components.seconds))
            """
        return """
            update booking u
            set expires_at = greatest(\(charge.expiresAt), \(Self.beforeStart(end)))
            from booking b where b.id = \(booking) and \(Self.isLive)
            """
    }

    private static func beforeStart(_ end: SQL) -> SQL {
        "least(\(end), (select s.starts_at from slot s where s.id = u.confirmed_slot_id))"
    }

    private static let isLive: SQL = """
        u.id = b.id and u.status = 'pending_payment' and u.expires_at > clock_timestamp()
        """
}
