import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct InventoryTests {
        @Test("a slot has resources of any kind; all are claimed, and each finds it")
        func kinds() async throws {
            let fixture = try await Fixture("inventory_kinds")
            let (vet, table, xray) = (UUID.random(), UUID.random(), UUID.random())
            try await fixture.save(xray, "x_ray", "Röntgen")
            func slot(_ hour: Int, _ ids: [(UUID, String)]) -> BookingV1.SlotPublication {
                var message = SlotPlan(.random(), .random(), hour: hour).message
                (message.instructor, message.room) = (nil, nil)
                message.resources = ids.map { id, kind in
                    var resource = BookingV1.NamedResource()
                    (resource.id, resource.kind) = (id.description, kind)
                    resource.name = kind.isEmpty ? "" : "My \(kind)"
                    return resource
                }
                return message
            }
            let one = slot(10, [(vet, "vet"), (table, "table"), (xray, "")])
            let other = slot(10, [(xray, ""), (.random(), "vet")])
            try await fixture.publish([one, other])
            let found = try await fixture.find { $0.resourceId = xray.description }
            #expect(Set(found.slots.map(\.id)) == [one.id, other.id])
            let first = try #require(found.slots.first { $0.id == one.id })
            #expect(first.resources.map(\.kind) == ["table", "vet", "x_ray"])
            #expect(first.resources.map(\.name) == ["My table", "My vet", "Röntgen"])
            #expect(first.instructor == nil)
            #expect(first.room == nil)
            // The assigned one takes all three; the other cannot have the third any more.
            let id = try await fixture.confirmed()
            try await fixture.assign(id, one.id)
            #expect(try await fixture.number("select count(*) from claim") == 3)
            let late = try await fixture.confirmed()
            let error = await refusal { try await fixture.assign(late, other.id) }
            #expect(error.code == .scheduleConflict)
            let details = try #require(try error.detail(BookingV1.ConflictDetails.self))
            #expect(details.conflicts.map(\.resourceKind) == ["x_ray"])
            #expect(try await fixture.find { $0.resourceId = xray.description }.slots.isEmpty)
            // Nobody knows this one, and it has no name.
            let unknown = slot(12, [(.random(), "")])
            let refused = await refusal { try await fixture.publish([unknown]) }
            #expect(refused.code == .resourceNotFound)
            #expect(try await fixture.number("select count(*) from slot") == 2)
        }

        @Test("buffers of the policy are occupied too; slots keep theirs when the policy changes")
        func buffers() async throws {
            let fixture = try await Fixture("inventory_buffers")
            try await fixture.policy { $0.bufferAfterSeconds = 900 }
            try await fixture.publish(fixture.choir, "CHOIR-1", .publish, policy: "test")
            let (ani, room) = (UUID.random(), UUID.random())
            let first = SlotPlan(ani, room, hour: 9)
            let tight = SlotPlan(ani, room, hour: 10, minute: 10)
            let after = SlotPlan(ani, room, hour: 10, minute: 15)
            try await fixture.publish([first], of: fixture.choir)
            let error = await refusal { try await fixture.publish([tight], of: fixture.choir) }
            #expect(error.code == .scheduleConflict)
            let details = try #require(try error.detail(BookingV1.ConflictDetails.self))
            #expect(
                details.conflicts.first?.endTime.map { Instant($0) } == first.end + .seconds(900))
            try await fixture.publish([after], of: fixture.choir)
            try await fixture.policy { $0.bufferAfterSeconds = 0 }
            let claim = try await fixture.pool.query(
                "select upper(during) from claim where slot_id = \(first.id)")
            #expect(try claim[0][0] as Instant == first.end + .seconds(900))
        }

        @Test("minimum notice and booking window: found, assigned and told alike")
        func window() async throws {
            let fixture = try await Fixture("inventory_window")
            try await fixture.policy {
                $0.noticeSeconds = 2 * 86_400
                $0.windowSeconds = 5 * 86_400
            }
            try await fixture.publish(fixture.piano, "PIANO-101", .assign, policy: "test")
            let slots = [1, 4, 8].map { SlotPlan(.random(), .random(), day: $0) }
            try await fixture.publish(slots)
            let found = try await fixture.find()
            #expect(found.slots.map(\.id) == [slots[1].id.description])
            #expect(
                found.slots.first?.closesAt.map { Instant($0) }
                    == slots[1].start - .seconds(2 * 86_400))
            #expect(
                found.slots.first?.opensAt.map { Instant($0) }
                    == slots[1].start - .seconds(5 * 86_400))
            for (slot, isOpen) in zip(slots, [false, true, false]) {
                let id = try await fixture.confirmed()
                if isOpen {
                    try await fixture.assign(id, slot) { $0.reason = "test" }
                } else {
                    let error = await refusal {
                        try await fixture.assign(id, slot) { $0.reason = "test" }
                    }
                    #expect(error.code == .outsideBookingWindow)
                }
            }
        }

        @Test(
            "booking times: exactly at the opening and at the notice, not a microsecond further",
            arguments: [(-1, false), (0, true), (1, true)])
        func edges(microseconds: Int, isOpen: Bool) {
            let opens = Instant(microseconds: 1_000_000)
            let times = BookingTimes(opens: opens, closes: opens + .seconds(10))
            #expect(times.contains(opens + .microseconds(microseconds)) == isOpen)
            #expect(times.contains(times.closes - .microseconds(microseconds)) == isOpen)
            #expect(BookingTimes(opens: nil, closes: opens).contains(opens - .seconds(9_999)))
        }

        @Test("X-93: lapsed holds and unpaid bookings are free; live ones are not")
        func lapsed() async throws {
            let fixture = try await Fixture("inventory_lapsed")
            let slot = SlotPlan(.random(), .random(), capacity: 3)
            let other = SlotPlan(.random(), .random(), hour: 12, capacity: 2)
            try await fixture.publish([slot, other])
            func hold(_ slot: SlotPlan, _ quantity: Int, _ seconds: Int) async throws {
                try await fixture.pool.execute(
                    """
                    insert into hold (id, slot_id, quantity, token_hash, holder_key, expires_at,
                        created_at)
                    values (\(UUID.random()), \(slot.id), \(quantity)::int,
                        decode(repeat('00', 32), 'hex'), '\\x00',
                        clock_timestamp() + make_interval(secs => \(seconds)::int),
                        clock_timestamp())
                    """)
                try await fixture.pool.execute(
                    "update slot set taken = taken + \(quantity)::int where id = \(slot.id)")
            }
            try await hold(slot, 2, 600)
            try await hold(slot, 1, -1)
            try await hold(other, 2, -1)
            var found = try await fixture.find()
            #expect(found.slots.map(\.id) == [slot, other].map(\.id.description))
            #expect(found.slots.map(\.slotsRemaining) == [1, 2])
            #expect(found.slots.allSatisfy { $0.status == .available })
            found = try await fixture.find { $0.minRemaining = 2 }
            #expect(found.slots.map(\.id) == [other.id.description])
            // Full only in the table: pages are in order all the same.
            found = try await fixture.find { $0.pageSize = 1 }
            #expect(found.slots.map(\.id) == [slot.id.description])
            let token = found.nextPageToken
            found = try await fixture.find {
                $0.pageSize = 1
                $0.pageToken = token
            }
            #expect(found.slots.map(\.id) == [other.id.description])
            try await fixture.pool.execute(
                "update hold set expires_at = clock_timestamp() + interval '1 hour'")
            #expect(try await fixture.find().slots.isEmpty)
        }

        @Test("a lookup of many: in the order asked for, whatever their state")
        func batch() async throws {
            let fixture = try await Fixture("inventory_batch")
            let slots = (0..<4).map { SlotPlan(.random(), .random(), hour: 9 + $0) }
            try await fixture.publish(slots)
            try await fixture.assign(try await fixture.confirmed(slots[2]), slots[2])
            var request = BookingV1.BatchLookupRequest()
            request.slotIds =
                [3, 2, 0].map { slots[$0].id.description } + [UUID.random().description]
            let context = ServerContext(method: BookingV1.AvailabilityMethods.batchLookup)
            let found = try await fixture.availability.batchLookup(request, context)
            #expect(found.slots.map(\.id) == [3, 2, 0].map { slots[$0].id.description })
            #expect(found.slots.map(\.status) == [.available, .booked, .available])
            #expect(found.version >= found.slots.map(\.version).max() ?? .max)
            request.slotIds = (0...500).map { _ in UUID.random().description }
            let error = await refusal {
                _ = try await fixture.availability.batchLookup(request, context)
            }
            #expect(error.violations.map(\.field) == ["slot_ids"])
        }

        @Test("skip_conflicts publishes the rest; a dry run tells the same and leaves nothing")
        func skipping() async throws {
            let fixture = try await Fixture("inventory_skipping")
            let (ani, room) = (UUID.random(), UUID.random())
            let taken = SlotPlan(ani, .random(), hour: 10)
            try await fixture.publish([taken], of: fixture.choir)
            let slots = (9...11).map { SlotPlan(ani, room, hour: $0) }
            var request = BookingV1.PublishSlotsRequest()
            request.courseId = fixture.choir.description
            request.slots = slots.map(\.message)
            request.skipConflicts = true
            request.dryRun = true
            let context = Fixture.service(BookingV1.InventoryMethods.publishSlots)
            let events = try await fixture.lastEvent()
            let rehearsal = try await fixture.inventory.publishSlots(request, context)
            #expect(try await fixture.number("select count(*) from slot") == 1)
            #expect(try await fixture.number("select count(*) from claim") == 2)
            #expect(
                try await fixture.number("select count(*) from resource where id = \(room)") == 0)
            #expect(try await fixture.lastEvent() == events)
            request.dryRun = false
            let answer = try await fixture.inventory.publishSlots(request, context)
            #expect(answer == rehearsal)
            #expect(answer.created == 2)
            #expect(answer.skippedSlotIds == [slots[1].id.description])
            #expect(answer.conflicts.map(\.slotId) == [taken.id.description])
            #expect(try await fixture.number("select count(*) from slot") == 3)
            #expect(try await fixture.number("select count(*) from slot_resource") == 6)
            // Offers may overlap, but not what is blocked.
            let block = try await fixture.block(room, slots[0].start, slots[0].end)
            #expect(block == nil, "a class is there")
            let blocked = SlotPlan(.random(), room, day: 2)
            #expect(try await fixture.block(room, blocked.start, blocked.end) != nil)
            request.courseId = fixture.piano.description
            request.slots = [blocked.message, SlotPlan(.random(), room, hour: 9).message]
            let offers = try await fixture.inventory.publishSlots(request, context)
            #expect(offers.created == 1)
            #expect(offers.skippedSlotIds == [blocked.id.description])
            #expect(offers.conflicts.map(\.reason) == ["repair"])
        }

        @Test("X-100: the day of a slot is that of its own zone, and cannot say anything else")
        func localDate() async throws {
            let fixture = try await Fixture("inventory_date")
            var slot = SlotPlan(.random(), .random())
            slot.start = try #require(Instant(rfc3339: "2030-01-01T18:30:00Z"))
            try await fixture.publish([slot])
            #expect(
                try await fixture.find { $0.from = .init(slot.start) }.slots.first?.localDate
                    == "2030-01-02")
            let refused = await #expect(throws: PostgresError.self) {
                try await fixture.pool.execute(
                    "update slot set local_date = '2029-01-01' where id = \(slot.id)")
            }
            #expect(refused?.constraint == "slot_local_date")
        }
    }
}
