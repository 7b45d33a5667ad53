import Domain
import Environment
import Postgres
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(3))) struct WaitlistRaceTests {
        @Test("customers join while seats are freed: nobody is skipped and no seat is sold twice")
        func joinAndFree() async throws {
            let line = try await Line("waitlist_race_join", poolSize: 16, payment: "at_desk")
            let slot = try await line.clinic.slot(capacity: 8)
            var all: [BookingV1.ConfirmHoldResponse] = []
            for _ in 0..<8 { all.append(try await line.clinic.booked(slot)) }
            let booked = all
            let outcomes = await allAtOnce(48) { index -> BookingV1.JoinWaitlistResponse? in
                switch index % 3 {
                case 0 where index / 3 < 8:
                    try await line.cancel(booked[index / 3])
                    return nil
                case 1:
                    // From the street: only while nobody who fits waits.
                    _ = try await line.clinic.place(slot)
                    return nil
                default:
                    return try await line.join(slot, Int32(index % 2 + 1))
                }
            }
            let expected: Set<DomainError.Code> = [.capacityExceeded, .seatsAvailable]
            for outcome in outcomes where outcome.value == nil {
                #expect(outcome.refusal.map { expected.contains($0.code) } == true)
            }
            try await line.sweepAll()
            try await line.sweep()
            // Whoever was offered seats has them until the claim: nothing more is free for others.
            let joined = outcomes.compactMap { $0.value ?? nil }
            #expect(!joined.isEmpty)
            var seats = 0
            for entry in joined where try await line.status(entry) == .offered {
                _ = try await line.book(entry.token)
                seats += Int(entry.entry?.quantity ?? 0)
            }
            let held = try await line.clinic.fixture.number(
                """
                select coalesce(sum(quantity), 0) from hold
                where slot_id = \(slot.id) and status = 'pending'
                """)
            #expect(seats + held <= 8)
            #expect(try await line.clinic.fixture.taken(slot) == seats + held)
            try await line.sweep()
        }

        @Test(
            "claim against lapse, claim against leave, claim against claim: one of them each time")
        func claims() async throws {
            let line = try await Line("waitlist_race_claim", poolSize: 16)
            let slot = try await line.clinic.slot(capacity: 1)
            try await line.clinic.release(try await line.place(slot, andJoin: 1).placed)
            try await line.clearLine(slot)
            for round in 0..<12 {
                let (placed, entries) = try await line.place(slot, andJoin: 2)
                try await line.clinic.release(placed)
                let (first, second) = (entries[0], entries[1])
                let keys = ["a", "a", "b", nil]
                let outcomes = await allAtOnce(6) { index -> BookingV1.ClaimOfferResponse? in
                    switch index {
                    case 4 where round % 3 == 0:
                        try await line.leave(first.token)
                        return nil
                    case 4 where round % 3 == 1:
                        try await line.lapse(first)
                        return nil
                    case 4: return nil
                    case 5:
                        _ = try await line.sweeper.settle(slot.id)
                        return nil
                    default:
                        return try await line.claim(
                            first.token, key: keys[index].map { "\($0) \(round)" })
                    }
                }
                let claimed = Set(outcomes.compactMap { $0.value ?? nil })
                #expect(Set(claimed.map(\.hold?.id)).count <= 1, "one hold")
                #expect(Set(claimed.map(\.holdToken)).count <= 1, "one token")
                // What lapses here by force may have been claimed before: its time then differs.
                if round % 3 != 1 { #expect(claimed.count <= 1, "one time") }
                let status = try await line.status(first)
                try await line.sweepAll()
                if claimed.isEmpty {
                    #expect(status == .lapsed || status == .left)
                    #expect(try await line.status(second) == .offered)
                    #expect(try await line.clinic.fixture.taken(slot) == 1)
                }
                try await line.sweep()
                try await line.clearLine(slot)
                #expect(try await line.clinic.fixture.taken(slot) == 0)
            }
        }

        @Test("a seat goes down the whole line while everybody lapses: each is offered it once")
        func downTheLine() async throws {
            let line = try await Line("waitlist_race_line", poolSize: 16)
            let slot = try await line.clinic.slot(capacity: 2)
            let (placed, entries) = try await line.place(slot, 2, andJoin: 10)
            try await line.clinic.release(placed)
            _ = await allAtOnce(24) { index -> Bool in
                switch index % 3 {
                case 0: try await line.lapse(entries[(index / 3) % 10])
                case 1: _ = try await line.clinic.place(slot)
                default: _ = try await line.sweeper.settle(slot.id)
                }
                return true
            }
            for entry in entries { try await line.lapse(entry) }
            var rounds = 0
            while try await line.clinic.fixture.number(
                "select count(*) from waitlist_entry where status in ('waiting', 'offered')") > 0
            {
                try await line.sweepAll()
                try await line.sweep()
                for entry in entries { try await line.lapse(entry) }
                rounds += 1
                try #require(rounds < 12, "two at a time, five times")
            }
            for entry in entries {
                #expect(try await line.story(entry) == ["joined", "offered", "lapsed"])
            }
            #expect(try await line.seen(slot) == 2)
            try await line.sweep()
        }
    }
}

extension Line {
    /// Takes all seats, and puts others in line.
    func place(
        _ slot: SlotPlan, _ seats: Int32 = 1, andJoin count: Int
    ) async throws -> (
        placed: BookingV1.PlaceHoldResponse, entries: [BookingV1.JoinWaitlistResponse]
    ) {
        let placed = try await clinic.place(slot, seats)
        var entries: [BookingV1.JoinWaitlistResponse] = []
        for _ in 0..<count { entries.append(try await join(slot)) }
        return (placed, entries)
    }

    /// Everybody's time is over until nobody is left.
    func clearLine(_ slot: SlotPlan) async throws {
        repeat {
            try await clinic.lapse()
            _ = try await sweeper.settle(slot.id)
        } while try await clinic.fixture.number(
            """
            select (select count(*) from waitlist_entry where slot_id = \(slot.id)
                and status in ('waiting', 'offered'))
                + (select count(*) from hold where slot_id = \(slot.id) and status = 'pending')
            """) > 0
    }
}
