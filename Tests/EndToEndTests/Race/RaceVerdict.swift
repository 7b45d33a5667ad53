import FakeProvider
import Foundation
import Schema
import TestKit
import Testing

/// The clients' journals and the provider's book against the tables, when everything is at rest.
struct RaceVerdict: Sendable {
    let race: Race
    let operations: [Journal.Operation]

    init(_ race: Race) {
        self.race = race
        operations = race.caller.journal.operations
    }

    /// What every race has to have seen.
    static let awaited: Set<String> = [
        "register", "confirm", "assign", "cancel", "place", "extend", "release", "confirm_hold",
        "open", "callback", "cancel_link", "reschedule", "check_in", "complete", "refund", "replay",
        "join", "claim", "leave",
    ]

    func pass() async throws {
        try await rest()
        // Who was killed has forgotten what he knew of the tables; without it questions take minutes.
        try await patiently("analyze")
        try await invariants()
        try await durable()
        try await effects()
        try await versions()
        try await holds()
        try await lines()
        try await money()
        try await registers()
        try await winners()
    }

    // MARK: Looking

    func rows(_ sql: String) async throws -> [[String]] {
        try await race.world.stage.system.sql("set search_path = booking; " + sql)
            .split(separator: "\n").map {
                $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            }
    }

    func number(_ sql: String) async throws -> Int {
        Int(try await rows(sql).first?.first ?? "") ?? -1
    }

    // MARK: Rest

    /// Everything lapses, is asked for, is sent back and is told, without any client's doing.
    private func rest() async throws {
        await race.redeliver()
        try await hasten("payment_record", "next_question_at")
        try await hasten("refund", "next_attempt_at")
        let queries = [
            ("events unpublished", "select count(*) from outbox where published_at is null"),
            ("holds alive", "select count(*) from hold where status = 'pending'"),
            (
                "bookings unpaid",
                "select count(*) from booking where status = 'pending_payment'"
            ),
            ("refunds due", "select count(*) from refund where status = 'requested'"),
            ("charges open", "select count(*) from payment_record where status = 'pending'"),
            (KernelInvariants.lines[0].what, KernelInvariants.lines[0].sql),
        ]
        #expect(
            try await Checker.liveness(
                within: .seconds(600),
                queries.map { what, sql in (what, { try await number(sql) }) }) == [])
    }

    /// What would be done at some time is done now. Row by row: they are in use.
    private func hasten(_ table: String, _ column: String) async throws {
        try await patiently(
            """
            do $$ declare due record; begin
                perform set_config('search_path', 'booking', false);
                for due in select id from \(table) where \(column) is not null loop
                    update \(table) set \(column) = clock_timestamp()
                    where id = due.id and \(column) is not null;
                    commit;
                end loop;
            end $$
            """)
    }

    /// Work on tables in use, some of them in parts that others make at the same time: whoever of
    /// two is told of a deadlock tries again.
    private func patiently(_ sql: String) async throws {
        for attempt in 1... {
            do {
                _ = try await race.world.stage.system.sql(sql)
                return
            } catch  where attempt < 5 && "\(error)".contains("deadlock detected") {}
        }
    }

    private func invariants() async throws {
        for (what, sql) in KernelInvariants.all {
            let wrong = try await number(sql)
            #expect(wrong == 0, "\(what)")
        }
        // Capacity, at every version that was ever told.
        let told = try await rows(
            """
            select min(free), count(*) from (
                select (body::jsonb->'payload'->'data'->>'slots_remaining')::int as free
                from outbox where topic = 'availability.updated') t
            """)
        #expect((Int(told[0][0]) ?? -1) >= 0 && (Int(told[0][1]) ?? 0) > 100, "\(told)")
    }

    // MARK: Durable, and once

    /// A key is there if and only if its request was acknowledged, and so is what was made.
    private func durable() async throws {
        let own = operations.filter { !["altered", "replay", "callback"].contains($0.name) }
        let keys = Set(try await rows("select key from idempotency_key").map { $0[0] })
        let known = Set(own.filter { $0.outcome == .ok }.map(\.key))
        let possible = own.filter { $0.outcome == .info }
        #expect(
            Checker.durableSet(
                acknowledged: known, possible: Set(possible.map(\.key)), final: keys
            ).prefix(5) == [])
        let happened = possible.count { keys.contains($0.key) }
        race.say("of \(possible.count) requests with an unknown end \(happened) have happened")
        for (names, table) in [
            (["place"], "hold"), (["register", "confirm_hold", "reschedule"], "booking"),
            (["open"], "payment_record"), (["join"], "waitlist_entry"), (["claim"], "hold"),
        ] {
            let ids = Set(try await rows("select id from \(table)").map { $0[0] })
            let told = Set(
                operations.filter { $0.outcome == .ok && names.contains($0.name) }.map(\.value))
            #expect(told.subtracting(ids).isEmpty, "\(table)")
        }
        #expect(Checker.idempotency(race.caller.answers).prefix(5) == [])
    }

    /// As many effects as acknowledged requests.
    private func effects() async throws {
        let actions = Dictionary(
            uniqueKeysWithValues: try await rows(
                "select action, count(*) from booking_history group by 1"
            ).map { ($0[0], Int($0[1]) ?? -1) })
        var counted: [(String, Int, [String])] = [
            ("created", ["register", "confirm_hold", "reschedule"]), ("confirmed", ["confirm"]),
            ("slot_assigned", ["assign"]), ("cancelled", ["cancel", "cancel_link"]),
            ("rescheduled", ["reschedule"]), ("checked_in", ["check_in"]),
            ("completed", ["complete"]),
        ].map { ($0, actions[$0] ?? 0, $1) }
        counted.append(
            (
                "holds", try await number("select count(*) from hold where entry_id is null"),
                ["place"]
            ))
        counted.append(
            ("joined", try await number("select count(*) from waitlist_entry"), ["join"]))
        counted.append(
            (
                "refunds asked for",
                try await number(
                    """
                    select count(distinct idempotency_key) from refund
                    where idempotency_key like 'asked:%'
                    """), ["refund"]
            ))
        for (what, found, names) in counted {
            let done = operations.count { names.contains($0.name) && $0.outcome == .ok }
            let open = operations.count { names.contains($0.name) && $0.outcome == .info }
            #expect((done...done + open).contains(found), "\(what): \(found), told \(done)")
        }
        // Somebody may release what has lapsed already, and declined offers are released too.
        let released = try await number(
            """
            select count(*) from hold h left join waitlist_entry e on e.id = h.entry_id
            where h.status = 'released' and e.status is distinct from 'left'
            """)
        #expect(
            released <= operations.count { $0.name == "release" && $0.outcome != .fail })
        #expect(
            try await number("select count(*) - count(distinct email) from registration") == 0)
        #expect(
            try await number(
                """
                select count(*) from (select booking_id from booking_history
                    where action in ('cancelled', 'expired', 'rescheduled', 'checked_in', 'paid')
                    group by booking_id, action having count(*) > 1) doubled
                """) == 0, "one end, one payment, one check-in of each booking")
    }

    /// Versions of history and events without hole: what is told of a booking, of a charge and of a
    /// place in line; lost choices are told of a slot. One change may be told to two topics.
    private func versions() async throws {
        for sql in [
            "select booking_id, version from booking_history order by id",
            """
            select key, version from (
                select key, (body::jsonb->'payload'->>'version')::bigint as version, min(id) as id
                from outbox where topic = 'payment.updated'
                    or topic = 'waitlist.updated'
                    or topic like 'booking.%' and topic <> 'booking.choices_lost'
                group by key, 2) told
            order by id
            """,
        ] {
            let versions = try await rows(sql).map { ($0[0], Int($0[1]) ?? -1) }
            #expect(versions.count > 100)
            #expect(
                Checker.versions(versions.map { (aggregate: $0.0, version: $0.1) }).prefix(5) == [])
        }
    }
}
