import Domain
import Environment
import Loop
import Postgres
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(4))) struct BlockRaceTests {
        @Test("publish, block, assign and cancel of the same people at once: nothing overlaps")
        func race() async throws {
            let fixture = try await Fixture("block_race", poolSize: 40)
            let (people, rooms) = (
                (0..<3).map { _ in UUID.random() }, (0..<3).map { _ in UUID.random() }
            )
            let offers = (0..<24).map { index in
                SlotPlan(
                    people[index % 3], rooms[index / 3 % 3], hour: 9 + index % 4,
                    minute: index % 3 * 20)
            }
            try await fixture.publish(offers)
            var ids: [String] = []
            for _ in 0..<24 { ids.append(try await fixture.confirmed()) }
            let outcomes = await allAtOnce(96) { [ids] index in
                let near = offers[index / 4]
                switch index % 4 {
                case 0:
                    try await fixture.assign(ids[index / 4], near) { $0.reason = "race" }
                    if index % 8 == 0 { try await fixture.cancel(ids[index / 4]) }
                case 1:
                    _ = try await fixture.blocking(
                        near.instructor, near.start + .seconds(600), near.end + .seconds(600))
                case 2:
                    let block = try await fixture.blocking(near.room, near.start, near.end)
                    var unblock = BookingV1.UnblockResourceRequest()
                    unblock.blockId = block.id
                    _ = try await fixture.catalogue.unblockResource(
                        unblock, Fixture.admin(BookingV1.CatalogueMethods.unblockResource))
                default:
                    let lessons = (0..<3).map { step in
                        SlotPlan(near.room, near.instructor, hour: 9 + step * 2, minute: index / 4)
                    }
                    try await fixture.publish(lessons.shuffled(), of: fixture.choir)
                }
            }
            let refusals = outcomes.compactMap(\.refusal)
            #expect(refusals.count == outcomes.count { $0.value == nil }, "refusals of ours only")
            #expect(Set(refusals.map(\.code)).isSubset(of: [.scheduleConflict, .capacityExceeded]))
            #expect(outcomes.contains { $0.value != nil })
            #expect(try await fixture.number(AssignRaceTests.overlaps) == 0)
            #expect(try await fixture.number(AssignRaceTests.doubleBookings) == 0)
            #expect(try await fixture.number(AssignRaceTests.seats) == 0)
            #expect(
                try await fixture.number(
                    """
                    select count(*) from block k where (k.removed_at is null) <> exists (
                        select from claim c where c.block_id = k.id)
                    """) == 0)
            #expect(
                try await fixture.number(
                    """
                    select count(*) from slot s join offering o on o.id = s.offering_id
                    where (select count(*) from claim c where c.slot_id = s.id)
                        <> case when o.claim_at = 'publish' or s.taken > 0 then 2 else 0 end
                    """) == 0)
            await fixture.pool.close()
            try await Fixture.loop.sleep(for: .milliseconds(1200))
            let text = try PostgresClusterSQL.run(
                """
                select deadlocks from pg_stat_database where datname = 'booking_block_race'
                """, on: "postgres")
            #expect(Int(text.filter(\.isNumber)) == 0)
        }
    }
}
