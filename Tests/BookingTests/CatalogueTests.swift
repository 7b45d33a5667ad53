import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct CatalogueTests {
        private static let methods = BookingV1.CatalogueMethods.self

        private func location(
            _ fixture: Fixture, _ id: UUID, _ code: String = "BDG", _ zone: String = "Asia/Jakarta"
        ) async throws {
            var request = BookingV1.SaveLocationRequest()
            request.id = id.description
            (request.code, request.name, request.timeZone) = (code, "Bandung", zone)
            _ = try await fixture.catalogue.saveLocation(
                request, Fixture.admin(Self.methods.saveLocation))
        }

        @Test("locations: saved again and again, unique by code, bound to their zone by slots")
        func locations() async throws {
            let fixture = try await Fixture("catalogue_locations")
            let (one, two) = (UUID.random(), UUID.random())
            try await location(fixture, one, "BDG")
            try await location(fixture, one, "BDG", "Asia/Makassar")
            #expect(
                await refusal { try await location(fixture, two, "BDG") }.code == .alreadyExists)
            #expect(
                await refusal { try await location(fixture, two, "X", "Asia/Nowhere") }.code
                    == .validationFailed)
            var get = BookingV1.GetLocationRequest()
            get.locationId = "BDG"
            let context = Fixture.admin(Self.methods.getLocation)
            #expect(
                try await fixture.catalogue.getLocation(get, context).location?.timeZone
                    == "Asia/Makassar")
            // An offering there has its zone, whatever it says itself.
            try await fixture.publish(fixture.piano, "PIANO-101", .assign, location: one)
            let slot = SlotPlan(.random(), .random())
            try await fixture.publish([slot])
            let found = try await fixture.find { $0.locationId = one.description }
            #expect(found.slots.map(\.timeZone) == ["Asia/Makassar"])
            #expect(try await fixture.find { $0.locationId = two.description }.slots.isEmpty)
            #expect(
                await refusal { try await location(fixture, one, "BDG", "UTC") }.code
                    == .invalidTransition)
            var delete = BookingV1.DeleteLocationRequest()
            delete.locationId = one.description
            let deleting = Fixture.admin(Self.methods.deleteLocation)
            #expect(
                await refusal { _ = try await fixture.catalogue.deleteLocation(delete, deleting) }
                    .code == .invalidTransition)
            delete.locationId = two.description
            _ = try await fixture.catalogue.deleteLocation(delete, deleting)
            #expect(
                await refusal {
                    try await fixture.publish(fixture.piano, "PIANO-101", .assign, location: two)
                }.code == .locationNotFound)
            #expect(
                await refusal {
                    try await fixture.publish(fixture.piano, "PIANO-101", .assign, policy: "none")
                }.code == .policyNotFound)
        }

        @Test("policies: what is saved is listed; what cannot be meant is refused by name")
        func policies() async throws {
            let fixture = try await Fixture("catalogue_policies")
            var cancellation = BookingV1.SaveCancellationPolicyRequest()
            var tiers = BookingV1.CancellationPolicy()
            (tiers.code, tiers.name) = ("half", "Half within a day")
            let pairs: [(Int64, Int32)] = [(0, 50), (86_400, 100)]
            tiers.tiers = pairs.map { notice, percent in
                var tier = BookingV1.CancellationTier()
                (tier.noticeSeconds, tier.refundPercent) = (notice, percent)
                return tier
            }
            cancellation.policy = tiers
            for _ in 0..<2 {
                _ = try await fixture.catalogue.saveCancellationPolicy(
                    cancellation, Fixture.admin(Self.methods.saveCancellationPolicy))
            }
            let saved = try await fixture.policy {
                $0.cancellation = "half"
                $0.windowSeconds = 600
                ($0.noShowAuto, $0.holdLimit, $0.checkInLeadSeconds) = (true, 7, 0)
                $0.proofReviewSeconds = 7200
            }
            #expect(saved?.checkInLeadSeconds == 0 && saved?.noShowAuto == true)
            let list = try await fixture.catalogue.listPolicies(
                .init(), Fixture.admin(Self.methods.listPolicies))
            #expect(list.policies.map(\.code) == ["clinic", "field", "school", "test"])
            #expect(list.policies.last == saved)
            #expect(list.cancellationPolicies.first { $0.code == "half" } == tiers)
            #expect(
                await refusal { _ = try await fixture.policy { $0.cancellation = "none" } }.code
                    == .policyNotFound)
            let bad = await refusal {
                _ = try await fixture.policy {
                    $0.entry = .unspecified
                    $0.holdSeconds = 5
                    $0.windowSeconds = 0
                }
            }
            #expect(
                bad.violations.map(\.field) == [
                    "policy.entry", "policy.hold_seconds", "policy.window_seconds",
                ])
            var delete = BookingV1.DeletePolicyRequest()
            delete.code = "school"
            let context = Fixture.admin(Self.methods.deletePolicy)
            #expect(
                await refusal { _ = try await fixture.catalogue.deletePolicy(delete, context) }
                    .code == .invalidTransition, "courses are booked by it")
            delete.code = "test"
            _ = try await fixture.catalogue.deletePolicy(delete, context)
        }

        @Test("resources keep their kind, and go when nothing has ever named them")
        func resources() async throws {
            let fixture = try await Fixture("catalogue_resources")
            let (field, room) = (UUID.random(), UUID.random())
            try await fixture.save(field, "field", "Lapangan 1")
            try await fixture.save(field, "field", "Lapangan A")
            #expect(
                await refusal { try await fixture.save(field, "room", "Lapangan A") }.code
                    == .invalidTransition)
            #expect(
                await refusal { try await fixture.save(room, "Room", "x") }.violations.map(\.field)
                    == ["resource.kind"])
            var list = BookingV1.ListResourcesRequest()
            list.kind = "field"
            let found = try await fixture.catalogue.listResources(
                list, Fixture.admin(Self.methods.listResources))
            #expect(found.resources.map(\.name) == ["Lapangan A"])
            try await fixture.publish([SlotPlan(.random(), room)])
            for (id, isGone) in [(field, true), (room, false)] {
                var delete = BookingV1.DeleteResourceRequest()
                delete.resourceId = id.description
                let context = Fixture.admin(Self.methods.deleteResource)
                if isGone {
                    _ = try await fixture.catalogue.deleteResource(delete, context)
                } else {
                    #expect(
                        await refusal {
                            _ = try await fixture.catalogue.deleteResource(delete, context)
                        }.code == .invalidTransition)
                }
            }
        }

        @Test("a block occupies like a slot, tells the slots it hits, and explains itself")
        func blocks() async throws {
            let fixture = try await Fixture("catalogue_blocks")
            let (ani, room) = (UUID.random(), UUID.random())
            let hit = SlotPlan(ani, room, hour: 10)
            let free = SlotPlan(ani, room, hour: 12)
            try await fixture.publish([hit, free])
            let seen = try await fixture.lastEvent()
            let block = try #require(
                try await fixture.block(ani, hit.start + .seconds(1800), hit.end))
            let events = try await fixture.events(after: seen).map { try Event($0.body) }
            #expect(events.map(\.id) == [hit.id.description])
            #expect(events.first?["status"] == .string("unavailable"))
            #expect(try await fixture.find().slots.map(\.id) == [free.id.description])
            let id = try await fixture.confirmed(hit)
            let error = await refusal { try await fixture.assign(id, hit) }
            #expect(error.code == .scheduleConflict)
            let details = try #require(try error.detail(BookingV1.ConflictDetails.self))
            #expect(details.conflicts.map(\.blockId) == [block.id])
            #expect(details.conflicts.map(\.reason) == ["repair"])
            #expect(details.conflicts.first?.slotId == nil)
            // The same again is the same; another content under its id is refused.
            #expect(
                try await fixture.block(
                    ani, hit.start + .seconds(1800), hit.end, id: block.id) == block)
            let changed = await refusal {
                _ = try await fixture.block(ani, hit.start, hit.end, id: block.id)
            }
            #expect(changed.code == .alreadyExists)
            let twice = await refusal {
                _ = try await fixture.blocking(ani, hit.start, hit.end, id: nil)
            }
            #expect(twice.code == .scheduleConflict)
            #expect(
                await refusal { _ = try await fixture.blocking(.random(), hit.start, hit.end) }
                    .code == .resourceNotFound)
            var list = BookingV1.ListBlocksRequest()
            list.resourceId = ani.description
            let context = Fixture.admin(Self.methods.listBlocks)
            #expect(try await fixture.catalogue.listBlocks(list, context).blocks == [block])
            var unblock = BookingV1.UnblockResourceRequest()
            unblock.blockId = block.id
            for _ in 0..<2 {
                _ = try await fixture.catalogue.unblockResource(
                    unblock, Fixture.admin(Self.methods.unblockResource))
            }
            #expect(try await fixture.catalogue.listBlocks(list, context).blocks.isEmpty)
            try await fixture.assign(id, hit)
            #expect(try await fixture.number("select count(*) from claim") == 2)
        }

        @Test("E-09, X-102: a slot's status, seats and price change; bookings keep their seats")
        func update() async throws {
            let fixture = try await Fixture("catalogue_update")
            let slot = SlotPlan(.random(), .random(), capacity: 2)
            try await fixture.publish([slot])
            let id = try await fixture.confirmed(slot)
            try await fixture.assign(id, slot)
            let broken = try await fixture.update(slot) { $0.status = .maintenance }
            #expect(broken.status == .maintenance)
            #expect(broken.slotsRemaining == 0)
            #expect(try await fixture.find().slots.isEmpty)
            let late = try await fixture.confirmed()
            #expect(
                await refusal { try await fixture.assign(late, slot) { $0.reason = "x" } }.code
                    == .slotUnavailable)
            // Cancelling does not bring it back.
            try await fixture.cancel(id)
            #expect(try await fixture.find().slots.isEmpty)
            let back = try await fixture.update(slot) {
                $0.status = .available
                $0.capacity = 1
                $0.price = 75_000
            }
            #expect(back.price == 75_000)
            #expect(try await fixture.find().slots.map(\.slotsRemaining) == [1])
            try await fixture.assign(late, slot) { $0.reason = "x" }
            let old = await refusal {
                _ = try await fixture.update(slot) {
                    $0.capacity = 3
                    $0.ifVersion = back.version
                }
            }
            #expect(old.code == .versionConflict)
            _ = try await fixture.update(slot) { $0.capacity = 3 }
            try await fixture.assign(try await fixture.confirmed(), slot) { $0.reason = "x" }
            let few = await refusal { _ = try await fixture.update(slot) { $0.capacity = 1 } }
            #expect(few.code == .capacityExceeded)
        }

        @Test("a withdrawn slot is gone for good, and not with somebody in it unless forced")
        func withdraw() async throws {
            let fixture = try await Fixture("catalogue_withdraw")
            let (ani, room) = (UUID.random(), UUID.random())
            let slot = SlotPlan(ani, room, hour: 10)
            let neighbour = SlotPlan(ani, .random(), hour: 10, minute: 30)
            try await fixture.publish([slot, neighbour])
            let id = try await fixture.confirmed(slot)
            try await fixture.assign(id, slot)
            #expect(try await fixture.find().slots.isEmpty)
            func withdraw(force: Bool) async throws -> BookingV1.WithdrawSlotResponse {
                var request = BookingV1.WithdrawSlotRequest()
                (request.slotId, request.force) = (slot.id.description, force)
                return try await fixture.catalogue.withdrawSlot(
                    request, Fixture.admin(Self.methods.withdrawSlot))
            }
            #expect(
                await refusal { _ = try await withdraw(force: false) }.code == .invalidTransition)
            let seen = try await fixture.lastEvent()
            let answer = try await withdraw(force: true)
            #expect(answer.bookingIds == [id])
            let events = try await fixture.events(after: seen)
            #expect(
                events.map(\.topic) == [
                    "availability.updated", "schedule.updated", "admin.notifications",
                    "availability.updated",
                ])
            #expect(try await withdraw(force: false).bookingIds == [id], "again")
            #expect(try await fixture.claims(slot) == 0)
            #expect(try await fixture.find().slots.map(\.id) == [neighbour.id.description])
            #expect(
                await refusal { _ = try await fixture.update(slot) { $0.status = .available } }
                    .code == .invalidTransition)
            try await fixture.cancel(id)
            #expect(try await fixture.taken(slot) == 0)
            var list = BookingV1.ListSlotsRequest()
            list.fromDate = (SlotPlan.origin - .seconds(86_400)).date.description
            list.toDate = (SlotPlan.origin + .seconds(3 * 86_400)).date.description
            let calendar = try await fixture.catalogue.listSlots(
                list, Fixture.admin(Self.methods.listSlots))
            #expect(calendar.slots.map(\.id) == [neighbour.id.description])
        }
    }
}
