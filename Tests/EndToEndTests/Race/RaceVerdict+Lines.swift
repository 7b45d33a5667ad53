import Foundation
import TestKit
import Testing

/// What those saw who waited in lines.
extension RaceVerdict {
    /// An entry as the tables have it at the end.
    private struct Entry {
        let slot: String
        let person: String
        let quantity: String
        let position: Int64
        let status: String
        let hold: String
        /// From when to when it was in line or was offered seats, in microseconds.
        let life: (from: Int64, until: Int64)
    }

    func lines() async throws {
        let entries = try await entries()
        joins(entries)
        ends(entries)
        lives(entries)
        try await offers()
    }

    private func entries() async throws -> [String: Entry] {
        let found = try await rows(
            """
            select e.id, e.slot_id, encode(e.applicant_key, 'hex'), e.quantity, e.position,
                e.status, coalesce((select h.id::text from hold h where h.entry_id = e.id), ''),
                (select \(Self.micros("min(at)")) from waitlist_history w where w.entry_id = e.id),
                coalesce((select \(Self.micros("max(at)")) from waitlist_history w
                    where w.entry_id = e.id and w.action not in ('joined', 'offered')),
                    9223372036854775807)
            from waitlist_entry e
            """)
        return Dictionary(
            uniqueKeysWithValues: found.map { row in
                (
                    row[0],
                    Entry(
                        slot: row[1], person: row[2], quantity: row[3],
                        position: Int64(row[4]) ?? -1, status: row[5], hold: row[6],
                        life: (Int64(row[7]) ?? 0, Int64(row[8]) ?? 0))
                )
            })
    }

    /// Who was told of a place has it, as it was asked for; and who came later stands behind.
    private func joins(_ entries: [String: Entry]) {
        var wrong: [String] = []
        var persons: [String: Set<String>] = [:]
        var arrivals: [String: [Checker.Arrival]] = [:]
        for join in operations where join.name == "join" && join.outcome == .ok {
            let asked = join.argument.split(separator: " ").map(String.init)
            guard let entry = entries[join.value], let returned = join.returned else {
                wrong.append("\(join.value) is nowhere")
                continue
            }
            if [entry.slot, entry.quantity] != Array(asked[..<2]) {
                wrong.append("\(join.value) is not what was asked for")
            }
            persons[asked[2], default: []].insert(entry.person)
            arrivals[entry.slot, default: []].append(
                .init(
                    join.value, place: entry.position, invoked: join.invoked, returned: returned))
        }
        #expect(wrong.prefix(3) == [])
        #expect(persons.values.allSatisfy { $0.count == 1 })
        #expect(Set(persons.values.flatMap { $0 }).count == persons.count, "one entry of two")
        for (slot, all) in arrivals {
            #expect(Checker.order(all).prefix(3) == [], "the line of \(slot)")
        }
        race.say("\(entries.count) places in the lines of \(arrivals.count) slots")
    }

    /// Who was told that the seats are his has one hold of them, with the whole of its time; who
    /// was told that he has left is out.
    private func ends(_ entries: [String: Entry]) {
        var wrong: [String] = []
        var claims: [String: String] = [:]
        // Of each entry the first claim that may have happened: the hold's time runs from there.
        var asked: [String: UInt64] = [:]
        for operation in operations where operation.outcome != .fail {
            guard ["claim", "leave"].contains(operation.name),
                let entry = entries[operation.argument]
            else { continue }
            if operation.name == "claim" {
                asked[operation.argument] =
                    asked[operation.argument] ?? operation.invoked
            }
            guard operation.outcome == .ok else { continue }
            if operation.name == "leave" {
                if !["left", "lapsed", "ended"].contains(entry.status) {
                    wrong.append("\(operation.argument) has left and is \(entry.status)")
                }
            } else {
                claims[operation.value] = operation.argument
                if entry.status != "claimed" || entry.hold != operation.value {
                    wrong.append("\(operation.argument) has claimed and is \(entry.status)")
                }
            }
        }
        for forged in operations where forged.name == "claim_forged" && forged.outcome != .info {
            if forged.value != "WAITLIST_ENTRY_NOT_FOUND" {
                wrong.append("\(forged.argument) opens to anybody: \(forged.value)")
            }
        }
        let claimed = entries.values.count { $0.status == "claimed" }
        let open = operations.count { $0.name == "claim" && $0.outcome == .info }
        #expect((claims.count...claims.count + open).contains(claimed))
        let holdTime = UInt64(RaceWorld.holdTime * 1_000_000_000)
        for confirm in operations where confirm.name == "confirm_hold" && confirm.outcome == .fail {
            guard let entry = claims[confirm.argument], let since = asked[entry] else { continue }
            switch confirm.value {
            case "HOLD_EXPIRED" where (confirm.returned ?? .max) - since >= holdTime: break
            case "SLOT_ALREADY_BOOKED_BY_USER": break
            default: wrong.append("\(entry) has claimed, but: \(confirm.value)")
            }
        }
        #expect(wrong.prefix(3) == [])
        race.say("\(claims.count) offers were claimed")
    }

    /// Nobody stands twice in one line, or in more than five, at any time.
    private func lives(_ entries: [String: Entry]) {
        let twice = Checker.exclusion(
            entries.map { id, entry in
                .init(id, "\(entry.slot) \(entry.person)", entry.life.from, entry.life.until)
            })
        #expect(twice.prefix(3) == [])
        for (person, all) in Dictionary(grouping: entries.values, by: \.person) {
            let changes =
                all.map { ($0.life.from, 1) }
                + all.filter { $0.life.until != .max }.map { ($0.life.until, -1) }
            // At one moment who leaves leaves first.
            let ordered = changes.sorted { $0 < $1 }.map(\.1)
            #expect(
                Checker.capacity(
                    slot: person, of: 5, changes: ordered,
                    final: all.count { $0.life.until == .max }) == [])
        }
    }

    /// Offers last as long as the policy says, to the person who waits; what comes of one is his.
    private func offers() async throws {
        let checks = [
            (
                "an offer lapsed before its time",
                """
                select count(*) from waitlist_history o join waitlist_history l
                    on l.entry_id = o.entry_id
                where o.action = 'offered' and l.action = 'lapsed'
                  and l.at < o.at + make_interval(secs => \(RaceWorld.offerTime))
                """
            ),
            (
                "an offer or its hold is another's",
                """
                select count(*) from waitlist_entry e join hold h on h.entry_id = e.id
                left join booking b on b.hold_id = h.id
                where h.holder_key <> e.applicant_key
                    or b.applicant_key is distinct from
                        case when b.id is not null then e.applicant_key end
                """
            ),
            (
                "a claimed hold has not its whole time",
                """
                select count(*) from waitlist_history c join hold h on h.entry_id = c.entry_id
                where c.action = 'claimed'
                  and h.expires_at < c.at + make_interval(secs => \(RaceWorld.holdTime))
                """
            ),
        ]
        for (what, sql) in checks {
            let wrong = try await number(sql)
            #expect(wrong == 0, "\(what)")
        }
        let actions = Dictionary(
            uniqueKeysWithValues: try await rows(
                "select action, count(*) from waitlist_history group by 1"
            ).map { ($0[0], Int($0[1]) ?? 0) })
        race.say(
            "in line: "
                + actions.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
                .joined(separator: ", "))
        #expect(
            Set(actions.keys).isSuperset(of: ["joined", "offered", "claimed", "lapsed", "left"]),
            "void without each of them")
    }
}
