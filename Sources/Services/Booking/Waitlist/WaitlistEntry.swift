import Crypto
import Domain
import Environment
import Postgres
import Schema

/// One party in the line of a slot.
struct WaitlistEntry: Sendable, Hashable {
    enum Status: String, Sendable, Hashable, CaseIterable {
        case waiting, offered, claimed, lapsed, left, ended

        /// Whether seats may still come of it.
        var isLive: Bool { self == .waiting || self == .offered }
    }

    var id: UUID
    var slot: UUID
    /// Seats.
    var quantity: Int
    var status: Status
    /// 1, 2, 3 … with every change.
    var version: Int64
    var joinedAt: Instant
    /// Of whoever waits; the hold of an offer is counted as theirs.
    var applicantKey: [UInt8]
    var tokenHash: [UInt8]

    /// In a time that does not depend on where it differs.
    func isProved(by hash: [UInt8]) -> Bool { constantTimeEqual(tokenHash, hash) }

    static let columns: SQL = """
        e.id, e.slot_id, e.quantity, e.status, e.version, e.joined_at, e.applicant_key,
        e.token_hash
        """

    static let count = 8

    static func read(_ row: PostgresRow) throws -> WaitlistEntry {
        let status: String = try row[3]
        return WaitlistEntry(
            id: try row[0], slot: try row[1], quantity: try row[2],
            status: Status(rawValue: status) ?? .ended, version: try row[4],
            joinedAt: try row[5], applicantKey: try row[6], tokenHash: try row[7])
    }
}

/// A change of an entry, as it will be written: with its history and its event.
struct WaitlistMove: Sendable, Hashable {
    /// As it will be.
    let entry: WaitlistEntry
    let action: WaitlistAction
    var actor = "system"
    /// The hold that an offer is.
    var hold: UUID?
    /// When the offer ends.
    var until: Instant?
}

enum WaitlistAction: String, Sendable, Hashable, CaseIterable {
    case joined, offered, claimed, lapsed, left, ended
}
