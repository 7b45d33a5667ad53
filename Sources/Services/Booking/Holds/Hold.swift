import Crypto
import Domain
import Environment
import Postgres
import Protobuf
import Schema

/// Seats on a short lease.
struct Hold: Sendable, Hashable {
    enum Status: String, Sendable, Hashable {
        case pending, confirmed, released, expired
    }

    var id: UUID
    var slot: UUID
    var quantity: Int
    var status: Status
    var expiresAt: Instant
    var extensions: Int

    var tokenHash: [UInt8]

    /// Of one seat, in minor units, as it was when the hold was placed; nil on a hold of before
    /// that was kept.
    var price: Int64?
    /// ISO 4217; with a price only.
    var currency: String?

    /// Whether a token is this hold's; in a time that does not depend on where it differs.
    func isProved(by hash: [UInt8]) -> Bool { constantTimeEqual(tokenHash, hash) }

    static let columns: SQL = """
        h.id, h.slot_id, h.quantity, h.status, h.expires_at, h.extensions, h.token_hash, h.price,
        h.currency
        """

    static func read(_ row: PostgresRow) throws -> Hold {
        let status: String = try row[3]
        return Hold(
            id: try row[0], slot: try row[1], quantity: try row[2],
            status: Status(rawValue: status) ?? .expired, expiresAt: try row[4],
            extensions: try row[5], tokenHash: try row[6], price: try row[7],
            currency: try row[8])
    }

    /// What one seat costs the holder, whatever has become of the offer since.
    func price(_ offer: HoldOffer) -> Int64 { price ?? offer.price }

    func currency(_ offer: HoldOffer) -> String { currency ?? offer.currency }
}

/// Who wants to hold what.
struct HoldOrder: Sendable {
    let id: UUID
    let slot: UUID
    let quantity: Int
    let holderKey: [UInt8]
    let tokens: BookingTokens
    let use: IdempotencyTable.Use

    /// Made for those who get a hold only.
    var tokenHash: [UInt8] { BookingTokens.digest(tokens.hold(id)) }
}

/// The rules of holding, without the seats themselves. Pure.
enum HoldRules {
    /// - Parameter live: live holds of the holder.
    /// - Throws: SLOT_UNAVAILABLE, VALIDATION_FAILED, HOLD_LIMIT_REACHED.
    static func check(
        _ quantity: Int, _ offer: HoldOffer, live: Int
    ) throws(DomainError) {
        try check(price: offer.price)
        let terms = offer.terms
        guard terms.entry == .hold else {
            throw DomainError(.slotUnavailable, "this slot is not booked by holds")
        }
        guard quantity <= terms.quantityLimit else {
            throw DomainError(
                .validationFailed, "more seats than one booking may have",
                violations: [
                    DomainError.Violation("quantity", "is more than \(terms.quantityLimit)")
                ])
        }
        guard live < terms.holdLimit else {
            throw DomainError(
                .holdLimitReached, "there are \(live) live holds already",
                retryAfter: terms.holdTime)
        }
    }

    /// A price of before there was a limit is nobody's to pay.
    /// - Throws: SLOT_UNAVAILABLE.
    static func check(price: Int64) throws(DomainError) {
        guard price <= Money.priceLimit else {
            throw DomainError(
                .slotUnavailable, "the price of this slot is above \(Money.priceLimit)")
        }
    }

    /// What is wrong with a hold that could not be confirmed, extended or released.
    static func refusal(_ hold: Hold?, _ tokenHash: [UInt8]) -> DomainError? {
        guard let hold else { return DomainError(.holdNotFound, "there is no such hold") }
        guard hold.isProved(by: tokenHash) else {
            return DomainError(.holdTokenMismatch, "the token is not of this hold")
        }
        switch hold.status {
        case .pending: return nil
        case .confirmed:
            return DomainError(.invalidTransition, "the hold has become a booking already")
        case .released: return DomainError(.holdExpired, "the hold was released")
        case .expired: return expired
        }
    }

    /// Whoever held a seat of a slot that does not take place is told so, not that time is over.
    static func refuseWithdrawn(_ hold: Hold?, _ tokenHash: [UInt8]) throws(DomainError) {
        guard let hold, hold.isProved(by: tokenHash), hold.status != .confirmed else { return }
        throw Slot.withdrawn
    }

    static let expired = DomainError(.holdExpired, "the time of the hold is over")
}

extension BookingV1.Hold {
    init(_ hold: Hold, _ offer: HoldOffer) {
        self.init()
        id = hold.id.description
        slotId = hold.slot.description
        quantity = Int32(clamping: hold.quantity)
        status =
            switch hold.status {
            case .pending: .pending
            case .confirmed: .confirmed
            case .released: .released
            case .expired: .expired
            }
        expiresAt = GoogleProtobuf.Timestamp(hold.expiresAt)
        extensionsLeft = Int32(clamping: max(0, offer.terms.holdExtensions - hold.extensions))
        total = Money.times(hold.price(offer), hold.quantity)
        currency = hold.currency(offer)
    }
}
