import Domain
import Environment
import Kafka
import Loop
import Postgres
import Protobuf
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(5))) struct WatchTests {
        @Test("A-23, X-49: a snapshot, then what changes, through outbox, broker and feed")
        func watch() async throws {
            let stage = try await Stage("watch")
            let fixture = stage.fixture
            let (ani, room) = (UUID.random(), UUID.random())
            let slot = SlotPlan(ani, room, capacity: 2)
            let neighbour = SlotPlan(ani, .random(), minute: 30)
            try await fixture.publish([slot, neighbour])
            let foreign = SlotPlan(.random(), .random(), hour: 15)
            try await fixture.publish([foreign], of: fixture.choir)
            try await stage.settle()
            var request = BookingV1.WatchRequest()
            request.courseId = "PIANO-101"
            let watcher = Watcher(try await stage.client.watch(request))
            #expect(try await eventually { watcher.slots.count == 2 })
            #expect(watcher[slot]?.slotsRemaining == 2)
            #expect(watcher[neighbour]?.slotsRemaining == 1)
            let before = watcher[neighbour]?.version ?? 0

            let id = try await fixture.confirmed(slot)
            try await fixture.assign(id, slot)
            #expect(try await eventually { watcher[slot]?.slotsRemaining == 1 })
            #expect(try await eventually { watcher[neighbour]?.slotsRemaining == 0 })
            #expect(watcher[neighbour]?.status == .unavailable)
            let between = watcher[neighbour]?.version ?? 0
            #expect(between > before, "a client ignores what is not newer")

            try await fixture.cancel(id)
            #expect(try await eventually { watcher[slot]?.slotsRemaining == 2 })
            #expect(try await eventually { watcher[neighbour]?.slotsRemaining == 1 })
            #expect(watcher[neighbour]?.version ?? 0 > between)
            #expect(
                try await fixture.find().slots.first { $0.id == neighbour.id.description }?.version
                    == watcher[neighbour]?.version)
            #expect(watcher.slots.count == 2, "of this course only")
            watcher.stop()
            await stage.close()
        }

        @Test("a watcher that cannot follow gets a snapshot again, not a hole")
        func overflow() async throws {
            let subscription = SlotSubscription(SlotFilter(from: .now()))
            let slots = (0...SlotSubscription.limit).map { _ in Self.slot() }
            for slot in slots.dropLast() { subscription.push(slot) }
            subscription.push(slots[0])
            guard case .changed(let first, _)? = await subscription.next() else {
                Issue.record("1000 different slots fit")
                return
            }
            #expect(first.map(\.id) == slots.dropLast().map(\.id))
            for slot in slots { subscription.push(slot) }
            guard case .overflow? = await subscription.next() else {
                Issue.record("1001 slots do not fit")
                return
            }
            subscription.push(slots[1])
            guard case .changed(let next, _)? = await subscription.next() else {
                Issue.record("it goes on after an overflow")
                return
            }
            #expect(next.map(\.id) == [slots[1].id])
        }

        @Test("X-54: of a slot that changes often only the newest state waits")
        func coalesced() async {
            let subscription = SlotSubscription(SlotFilter(from: .now()))
            var slot = Self.slot()
            for version in 1...50 {
                slot.version = Int64(version)
                subscription.push(slot)
            }
            guard case .changed(let slots, _)? = await subscription.next() else {
                Issue.record("nothing came")
                return
            }
            #expect(slots.map(\.version) == [50])
        }

        @Test("the feed tells of trouble by a new snapshot; a cancelled watch ends")
        func snapshotAgain() async throws {
            let stage = try await Stage("watch_again")
            let slot = SlotPlan(.random(), .random())
            try await stage.fixture.publish([slot])
            try await stage.settle()
            let task = Task {
                var snapshots = 0
                for try await answer in try await stage.client.watch(BookingV1.WatchRequest()) {
                    if answer.snapshotSlots != nil { snapshots += 1 }
                    if snapshots == 1 { stage.fixture.feed.overflowAll() }
                    if snapshots == 2 { break }
                }
                return snapshots
            }
            #expect(try await task.value == 2)
            #expect(
                try await eventually { stage.fixture.feed.watcherCount == 0 },
                "a watch that has ended is forgotten")
            await stage.close()
        }

        @Test("a watcher that comes back is told what it missed; what is forgotten is a reset")
        func resume() async throws {
            let stage = try await Stage("watch_resume")
            let fixture = stage.fixture
            let slots = (9...12).map { SlotPlan(.random(), .random(), hour: $0) }
            let foreign = SlotPlan(.random(), .random(), hour: 15)
            try await fixture.publish(slots)
            try await fixture.publish([foreign], of: fixture.choir)
            try await stage.settle()
            func first(
                _ token: String, _ count: Int
            ) async throws -> [BookingV1.WatchResponse] {
                var request = BookingV1.WatchRequest()
                request.courseId = "PIANO-101"
                request.resumeToken = token
                var answers: [BookingV1.WatchResponse] = []
                for try await answer in try await stage.client.watch(request) {
                    answers.append(answer)
                    if answers.count == count { break }
                }
                return answers
            }
            let start = try #require(try await first("", 1).first)
            #expect(start.snapshotSlots?.count == 4)
            #expect(!start.resumeToken.isEmpty)
            // Nothing happened: nothing is sent but that.
            let nothing = try #require(try await first(start.resumeToken, 1).first)
            guard case .resumed? = nothing.event else {
                Issue.record("it was resumed")
                return
            }
            #expect(nothing.resumeToken == start.resumeToken)
            // While nobody watches: two of the course, one of another.
            try await fixture.assign(try await fixture.confirmed(slots[1]), slots[1])
            try await fixture.assign(try await fixture.confirmed(slots[2]), slots[2])
            let other = try await fixture.request("z@example.com", foreign, nil, fixture.choir)
            try await fixture.confirm(other.id) { $0.scheduleId = foreign.id.description }
            try await stage.settle()
            let missed = try await first(start.resumeToken, 3)
            #expect(
                Set(missed.compactMap { $0.changedSlot?.id })
                    == Set(slots[1...2].map(\.id.description)))
            #expect(missed.dropFirst().allSatisfy { $0.changedSlot?.slotsRemaining == 0 })
            #expect(missed.map(\.resumeToken.isEmpty) == [true, true, false])
            let end = try #require(missed.last?.resumeToken)
            #expect(try await first(end, 1).first?.resumeToken == end)
            for token in ["nonsense", "\(UUID.random()).0", "\(start.resumeToken)9999"] {
                let again = try #require(try await first(token, 1).first)
                guard case .snapshot(let snapshot)? = again.event else {
                    Issue.record("\(token) was followed")
                    continue
                }
                #expect(snapshot.reset)
                #expect(snapshot.slots.count == 2)
            }
            await stage.close()
        }

        @Test("changes are kept for a while, each slot once; before that nothing is known")
        func changes() {
            var changes = SlotChanges(life: .random())
            let start = changes.position
            let ids = (0..<3).map { _ in UUID.random() }
            for index in 0..<10 { changes.append(ids[index % 3]) }
            #expect(changes.since(start) == ids)
            let middle = changes.position
            #expect(changes.since(middle) == [])
            #expect(SlotChanges.Position(middle.text) == middle)
            for _ in 0..<SlotChanges.limit { changes.append(ids[0]) }
            #expect(changes.since(middle) == [ids[0]])
            for _ in 0..<SlotChanges.limit { changes.append(ids[1]) }
            #expect(changes.since(start) == nil)
            #expect(changes.since(.init(life: .random(), count: 5)) == nil)
            #expect(changes.since(.init(life: start.life, count: 1_000_000)) == nil)
            for text in ["", ".", "x.1", "\(start.life)", "\(start.life).-1", "\(start.life).1.2"] {
                #expect(SlotChanges.Position(text) == nil)
            }
        }

        private static func slot() -> Slot {
            let start = Instant.now() + .seconds(3600)
            return Slot(
                id: .random(),
                offering: Offering(
                    id: .random(), code: "X", title: "X", claimAt: .assign, timeZone: "UTC"),
                resources: [NamedResource(id: .random(), name: "", kind: "room")],
                startsAt: start, endsAt: start + .seconds(60), capacity: 1, taken: 0,
                status: .available, version: 1, demand: 0, isBlocked: false, occupiedFrom: start,
                occupiedUntil: start + .seconds(60), timeZone: "UTC", localDate: start.date)
        }
    }
}

extension BookingV1.WatchResponse {
    var snapshotSlots: [BookingV1.Slot]? {
        if case .snapshot(let snapshot)? = event { snapshot.slots } else { nil }
    }
    var changedSlot: BookingV1.Slot? {
        if case .changed(let slot)? = event { slot } else { nil }
    }
}
