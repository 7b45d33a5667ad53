import Crypto
import Domain
import Environment
import Postgres
import Protobuf
import Schema

/// Decides orders one after the other, by what one transaction has read under its locks. Pure.
struct HoldDecisions {
    struct Key: Hashable {
        let scope: String
        let key: String
    }

    struct Stored {
        let requestHash: [UInt8]
        let response: [UInt8]
    }

    let offers: [UUID: HoldOffer]
    /// What keys have been answered with, this transaction's own included.
    var answers: [Key: Stored]
    /// Live holds by holder, in hexadecimal digits.
    var live: [String: Int]
    private(set) var placed: [HoldStore.Placed] = []

    init(offers: [UUID: HoldOffer], answers: [Key: Stored], live: [String: Int]) {
        self.offers = offers
        self.answers = answers
        self.live = live
    }

    /// Takes the seats in the ledger when the order is granted.
    mutating func decide(_ order: HoldOrder, _ ledger: inout SeatLedger) -> HoldDesk.Outcome {
        Result {
            let key = Key(scope: order.use.scope, key: order.use.key)
            if let stored = answers[key] {
                guard stored.requestHash == order.use.requestHash else {
                    throw IdempotencyTable.reused
                }
                return try HoldDesk.Answer(decoding: stored.response)
            }
            guard let offer = offers[order.slot] else {
                throw DomainError(.slotNotFound, "there is no such slot")
            }
            let holder = Hex.encode(order.holderKey)
            try HoldRules.check(
                order.quantity, offer.terms, live: live[holder, default: 0])
            try ledger.take(order.quantity, of: order.slot)
            live[holder, default: 0] += 1
            let hold = Hold(
                id: order.id, slot: order.slot, quantity: order.quantity, status: .pending,
                expiresAt: ledger.at + offer.terms.holdTime, extensions: 0,
                tokenHash: order.tokenHash)
            var answer = HoldDesk.Answer()
            answer.hold = BookingV1.Hold(
                hold, offer.terms, price: offer.price, currency: offer.currency)
            let response = answer.encoded()
            answers[key] = Stored(requestHash: order.use.requestHash, response: response)
            placed.append(
                HoldStore.Placed(order: order, expiresAt: hold.expiresAt, response: response))
            return answer
        }
    }

    static func answers(_ rows: PostgresRows) throws -> [Key: Stored] {
        var answers: [Key: Stored] = [:]
        for row in rows {
            answers[Key(scope: try row[0], key: try row[1])] = Stored(
                requestHash: try row[2], response: try row[3])
        }
        return answers
    }

    static func live(_ rows: PostgresRows) throws -> [String: Int] {
        var live: [String: Int] = [:]
        for row in rows { live[try row[0]] = try row[1] }
        return live
    }
}
