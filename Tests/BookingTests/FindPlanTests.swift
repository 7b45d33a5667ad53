import Domain
import Environment
import Postgres
import Schema
import Testing

@testable import Booking

extension ServerTests {
    /// what each index of free slots is for, said by the planner.
    @Suite(.serialized, .timeLimit(.minutes(2))) struct FindPlanTests {
        /// 30,000 slots, one of thirty open, of 40 offerings at four locations.
        private func filled() async throws -> (Fixture, location: UUID, offering: UUID, room: UUID)
        {
            let fixture = try await Fixture("find_plan")
            let (location, offering, room) = (UUID.random(), UUID.random(), UUID.random())
            try PostgresClusterSQL.run(
                """
                set search_path = booking, public;
                insert into location (id, code, name, time_zone)
                    select case n when 0 then '\(location)' else gen_random_uuid() end::uuid,
                        'L' || n, 'L', 'UTC' from generate_series(0, 3) n;
                insert into offering (id, code, title, claim_at, time_zone)
                    select case n when 0 then '\(offering)' else gen_random_uuid() end::uuid,
                        'O' || n, 'O', 'assign', 'UTC' from generate_series(0, 39) n;
                insert into resource (id, kind, name)
                    select case n when 0 then '\(room)' else gen_random_uuid() end::uuid,
                        'room', 'R' from generate_series(0, 99) n;
                create temp table place as
                    select id, row_number() over () - 1 as n from location;
                create temp table kind as
                    select id, row_number() over () - 1 as n from offering where code like 'O%';
                create temp table thing as
                    select id, row_number() over () - 1 as n from resource;
                insert into slot (id, offering_id, location_id, time_zone, local_date, starts_at,
                    ends_at, occupies, capacity, taken)
                select gen_random_uuid(), k.id, p.id, 'UTC', (t at time zone 'UTC')::date, t,
                    t + interval '1 hour', tstzrange(t, t + interval '1 hour'), 1,
                    case when i % 30 = 0 then 0 else 1 end
                from generate_series(1, 30000) i
                join kind k on k.n = i / 30 % 40 join place p on p.n = i % 4,
                lateral (select date_trunc('hour', now()) + i * interval '20 minutes' as t) t;
                insert into slot_resource (slot_id, resource_id, starts_at, occupies)
                    select s.id, t.id, s.starts_at, s.occupies
                    from (select *, row_number() over (order by id) as n from slot) s
                    join thing t on t.n = s.n % 100;
                insert into claim (resource_id, slot_id, during)
                    select x.resource_id, x.slot_id, x.occupies from slot_resource x
                    join slot s on s.id = x.slot_id where s.taken = 1 on conflict do nothing;
                analyze;
                """, on: "booking_find_plan")
            return (fixture, location, offering, room)
        }

        private func plan(_ fixture: Fixture, _ sql: SQL) async throws -> String {
            try await fixture.pool.query("explain (costs off) \(sql)")
                .map { row in try row[0] as String }.joined(separator: "\n")
        }

        @Test("free slots come in the order of the index that fits, and nothing is read whole")
        func indexes() async throws {
            let (fixture, location, offering, room) = try await filled()
            func search(
                _ change: (inout SlotFilter) -> Void
            ) async throws -> String {
                var filter = SlotFilter(from: .now())
                // Long: so much to sort that no other index is nearly as cheap.
                filter.to = filter.from + .seconds(400 * 86_400)
                change(&filter)
                return try await plan(fixture, AvailabilityStore.search(filter))
            }
            let table: [(String, (inout SlotFilter) -> Void)] = [
                ("slot_open_by_time", { _ in }),
                ("slot_open_by_time", { $0.minimumSeats = 3 }),
                ("slot_open_by_offering", { $0.course = offering.description }),
                ("slot_open_by_offering", { $0.course = "O7" }),
                ("slot_open_by_location", { $0.location = location }),
                ("slot_resource_by_time", { $0.resources = [room] }),
            ]
            for (index, change) in table {
                let plan = try await search(change)
                #expect(plan.contains(index), "\(index):\n\(plan)")
                #expect(plan.contains("claim_by_time"), "claims are probed, not read")
                for whole in ["Seq Scan on slot", "Seq Scan on claim"] {
                    #expect(!plan.contains(whole), "\(index):\n\(plan)")
                }
            }
        }

        @Test("the calendar of a location reads its days only; lapsed holds have their index")
        func others() async throws {
            let (fixture, location, _, room) = try await filled()
            let day = try #require(LocalDate("2030-01-01"))
            let calendar = try await plan(
                fixture, SlotDesk.calendar(location: location, from: day, to: day))
            #expect(calendar.contains("slot_by_day"), "\(calendar)")
            let neighbours = try await plan(
                fixture, SlotNeighbours.select([room], from: .now(), until: .now()))
            #expect(neighbours.contains("slot_resource_by_time"), "\(neighbours)")
            #expect(!neighbours.contains("Seq Scan on slot"), "\(neighbours)")
            try PostgresClusterSQL.run(
                """
                set search_path = booking, public;
                insert into hold (id, slot_id, quantity, token_hash, holder_key, expires_at,
                    created_at, status)
                select gen_random_uuid(), s.id, 1, decode(repeat('00', 32), 'hex'), '\\x00',
                    now() + interval '1 day', now(), 'pending'
                from slot s;
                analyze hold;
                """, on: "booking_find_plan")
            let search = try await plan(
                fixture, AvailabilityStore.search(SlotFilter(from: .now())))
            #expect(search.contains("hold_expiry"), "\(search)")
            #expect(!search.contains("Seq Scan on hold"), "\(search)")
        }

        @Test("lines: full slots by offering, those to see to, and who is next")
        func lines() async throws {
            let (fixture, _, offering, _) = try await filled()
            try PostgresClusterSQL.run(
                """
                set search_path = booking, public;
                with full_slot as (select id from slot where not is_open limit 300)
                insert into waitlist_entry (id, slot_id, applicant_key, quantity, token_hash,
                    joined_at, changed_at, status)
                select gen_random_uuid(), s.id, decode(md5(n::text), 'hex'), 1,
                    decode(repeat('00', 32), 'hex'), now(), now(),
                    case when n % 10 = 0 then 'waiting' else 'left' end
                from full_slot s, generate_series(1, 40) n;
                update slot set waiting = 1 where id in (select slot_id from waitlist_entry);
                analyze;
                """, on: "booking_find_plan")
            let full = try await plan(
                fixture,
                WaitlistStore.full(
                    offering, code: "", from: .now(), to: .now() + .seconds(86_400), limit: 100))
            #expect(full.contains("slot_full_by_offering"), "\(full)")
            let due = try await plan(fixture, WaitlistStore.due(limit: 100))
            #expect(due.contains("slot_with_line"), "\(due)")
            let slot: UUID = try await fixture.pool.query(
                "select id from slot where waiting is not null limit 1"
            ).single()[0]
            let next = try await plan(
                fixture, BookingStore.parties([(slot, 1, false)], except: []))
            #expect(next.contains("waitlist_line"), "\(next)")
            for plan in [full, due, next] {
                #expect(!plan.contains("Seq Scan on slot"), "\(plan)")
                #expect(!plan.contains("Seq Scan on waitlist_entry"), "\(plan)")
            }
        }
    }
}
