import Foundation
import Schema
import TestKit
import Testing

/// What customers saw of single slots.
extension RaceVerdict {
    /// Holds end by time or by their customers, never early, and on a slot of one seat nobody comes
    /// before the one before is gone, by the database's clock.
    func holds() async throws {
        let found = try await rows(
            """
            select h.id, h.slot_id, h.status, \(Self.micros("h.created_at")),
                \(Self.micros("h.expires_at")),
                coalesce(\(Self.micros(
                    """
                    (select min(e.at) from booking_history e where e.booking_id = b.id
                        and e.to_status in ('cancelled', 'expired', 'rescheduled'))
                    """)), 9223372036854775807)
            from hold h join slot s on s.id = h.slot_id left join booking b on b.hold_id = h.id
            where s.capacity = 1 and h.status in ('confirmed', 'expired')
            """)
        let holdings = found.map { row in
            let (from, expires, end) = (Int64(row[3]) ?? 0, Int64(row[4]) ?? 0, Int64(row[5]) ?? 0)
            let isBooked = row[2] == "confirmed"
            return Checker.Holding(
                row[0], row[1], from: from, until: isBooked ? end : expires,
                expiresAt: isBooked ? .max : expires)
        }
        #expect(holdings.count > 10)
        let lapsed = Set(found.filter { $0[2] == "expired" }.map { $0[0] })
        #expect(Checker.holdLife(holdings, lapsed: lapsed).prefix(5) == [])
        race.say("\(holdings.count) holds of single seats, \(lapsed.count) of them lapsed")
    }

    static func micros(_ time: String) -> String {
        "(extract(epoch from \(time)) * 1000000)::bigint"
    }

    /// Each lesson is a register: what its customers saw fits some order.
    func registers() async throws {
        let capacities = Dictionary(
            uniqueKeysWithValues: try await rows("select id, capacity from slot").map {
                ($0[0], Int($0[1]) ?? 0)
            })
        var checked = 0
        for slot in race.world.school.slots {
            let story = Self.story(of: slot, operations)
            checked += story.count
            #expect(
                Linearizability.holds(story, from: SeatRegister(capacity: capacities[slot] ?? 0)),
                "slot \(slot)")
        }
        race.say(
            "\(checked) operations of \(race.world.school.slots.count) lessons are linearizable")
    }

    /// The beginning of what customers saw of a slot: what had not ended by then is unknown.
    /// Refusals because of the neighbour say nothing about the seats.
    private static func story(
        of slot: String, _ all: [Journal.Operation]
    ) -> [Linearizability<SeatRegister>.Operation] {
        var holders: Set<String> = []
        var events: [Journal.Operation] = []
        for operation in all.sorted(by: { $0.invoked < $1.invoked }) {
            let parts = operation.argument.split(separator: " ").map(String.init)
            switch operation.name {
            case "assign" where parts.last == slot:
                if operation.outcome == .fail, operation.value != "CAPACITY_EXCEEDED" { continue }
                if operation.outcome != .fail { holders.insert(parts[0]) }
                events.append(operation)
            case "cancel" where holders.contains(parts[0]) && operation.outcome != .fail:
                events.append(operation)
            default: continue
            }
        }
        guard let last = events.prefix(40).last else { return [] }
        return events.prefix(40).map { operation in
            let isKnown =
                operation.outcome != .info && (operation.returned ?? .max) <= last.invoked
            let action: SeatRegister.Action =
                operation.name == "cancel" ? .cancel : .book(isGranted: operation.outcome != .fail)
            return .init(action, operation.invoked, isKnown ? operation.returned : nil)
        }
    }

    /// No seat is lost either: of a slot that everybody wanted, exactly those that are free can be
    /// had, by everybody at once.
    func winners() async throws {
        // However long they take, the first have not lost theirs when the last asks.
        try await race.world.stage.system.sql(
            "update booking.policy set hold_seconds = 600 where code = 'race'")
        for slot in race.world.hot.slots.prefix(4) {
            let taken = try await number("select taken from slot where id = '\(slot)'")
            let won = try await parallel(RaceWorld.hotCapacity + 4) { [race] client in
                var request = BookingV1.PlaceHoldRequest()
                (request.slotId, request.quantity) = (slot, 1)
                (request.holder, request.idempotencyKey) = (race.key(), race.key())
                let answer: BookingV1.PlaceHoldResponse? = await race.caller.send(
                    "last", by: client, key: request.idempotencyKey, about: slot,
                    BookingV1.HoldsMethods.placeHold, request)
                return answer != nil
            }.count { $0 }
            #expect(won == RaceWorld.hotCapacity - taken, "slot \(slot)")
        }
    }
}
