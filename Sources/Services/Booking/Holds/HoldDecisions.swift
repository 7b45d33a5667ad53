import Crypto
import Domain
import Environment
import Postgres
import Protobuf
import Schema

/// Decides orders one after the other, by what one transaction has read under its locks. Pure.
struct HoldDecisions {
    let offers: [UUID: HoldOffer]
    /// What keys have been answered with, this transaction's own included.
    var answers: IdempotencyTable.Answers
    /// Live holds by holder, in hexadecimal digits.
    var live: [String: Int]
    private(set) var placed: [HoldStore.Placed] = []

    init(offers: [UUID: HoldOffer], answers: IdempotencyTable.Answers, live: [String: Int]) {
        self.offers = offers
        self.answers = answers
        self.live = live
    }

    /// Takes the seats in the ledger when the order is granted.
    mutating func decide(_ order: HoldOrder, _ ledger: inout SeatLedger) -> HoldDesk.Outcome {
        Result {
            if let answered = try answers.answer(to: order.use) {
                return try HoldDesk.Answer(decoding: answered)
            }
            guard let offer = offers[order.slot] else {
                throw DomainError(.slotNotFound, "there is no such slot")
            }
            let holder = Hex.encode(order.holderKey)
            try HoldRules.check(
                order.quantity, offer, live: live[holder, default: 0])
            try ledger.take(order.quantity, of: order.slot)
            live[holder, default: 0] += 1
            let hold = Hold(
                id: order.id, slot: order.slot, quantity: order.quantity, status: .pending,
                expiresAt: (PlantedBug.expiryByAppClock.isPlanted ? order.use.at : ledger.at)
                    + offer.terms.holdTime, extensions: 0,
                tokenHash: order.tokenHash, price: offer.price, currency: offer.currency)
            var answer = HoldDesk.Answer()
            answer.hold = BookingV1.Hold(hold, offer)
            let response = answer.encoded()
            answers.keep(response, for: order.use)
            placed.append(
                HoldStore.Placed(
                    order: order, expiresAt: hold.expiresAt, price: offer.price,
                    currency: offer.currency, response: response))
            return answer
        }
    }

    static func live(_ rows: PostgresRows) throws -> [String: Int] {
        var live: [String: Int] = [:]
        for row in rows { live[try row[0]] = try row[1] }
        return live
    }
}
