import Foundation
import TestKit
import Testing

/// The checkers can fail: each is given a history that breaks its rule.
@Suite struct CheckerTests {
    @Test func `durable set: a lost acknowledgement and a row out of nowhere are found`() {
        #expect(
            Checker.durableSet(acknowledged: ["a"], possible: ["b", "c"], final: ["a", "b"]).isEmpty
        )
        #expect(
            Checker.durableSet(acknowledged: ["a", "d"], possible: [], final: ["a", "x"])
                == ["acknowledged and lost: d", "there without anybody's request: x"])
    }

    @Test func `exclusion: neighbours may touch, nobody may overlap, also not a long one`() {
        let touching = [
            Checker.Claim("1", "r", 0, 10), .init("2", "r", 10, 20), .init("3", "s", 5, 9),
        ]
        #expect(Checker.exclusion(touching).isEmpty)
        #expect(Checker.exclusion(touching + [.init("4", "r", 19, 30)]) == ["4 and 2 both have r"])
        let long = [
            Checker.Claim("1", "r", 0, 100), .init("2", "r", 1, 2), .init("3", "r", 50, 60),
        ]
        #expect(Checker.exclusion(long).count == 2)
    }

    @Test func `capacity: walked through every step`() {
        #expect(Checker.capacity(slot: "s", of: 2, changes: [1, 1, -1, 1], final: 2).isEmpty)
        #expect(
            Checker.capacity(slot: "s", of: 2, changes: [1, 1, 1, -1], final: 2)
                == ["s: 3 of 2 seats at step 2"])
        #expect(Checker.capacity(slot: "s", of: 2, changes: [1, -2], final: 0).count == 1)
        #expect(Checker.capacity(slot: "s", of: 2, changes: [1], final: 2).count == 1)
    }

    @Test func `exactly once and versions: twice, never, a hole and an inversion`() {
        #expect(
            Checker.exactlyOnce([("c", "1"), ("c", "2"), ("c", "1")], of: ["1", "2", "3"])
                == ["c: 1 2 times", "c: 3 never"])
        #expect(Checker.exactlyOnce([("c", "1"), ("d", "1")], of: ["1"]).isEmpty)
        #expect(Checker.versions([("a", 1), ("b", 1), ("a", 2)]).isEmpty)
        #expect(Checker.versions([("a", 1), ("a", 3)]) == ["a has the versions [1, 3]"])
        #expect(Checker.versions([("a", 2), ("a", 1)]).count == 1)
    }

    @Test func `idempotency: another answer and another body`() {
        let one = Checker.Answer(key: "k", body: "x", bytes: [1])
        #expect(Checker.idempotency([one, one]).isEmpty)
        #expect(Checker.idempotency([one, .init(key: "k", body: "x", bytes: [2])]).count == 1)
        #expect(Checker.idempotency([one, .init(key: "k", body: "y", bytes: [1])]).count == 1)
    }

    @Test func `hold life: ended early, and overtaken`() {
        let first = Checker.Holding("1", "s", from: 0, until: 10, expiresAt: 10)
        let next = Checker.Holding("2", "s", from: 10, until: 12, expiresAt: 20)
        #expect(Checker.holdLife([first, next], lapsed: ["1"]).isEmpty)
        #expect(Checker.holdLife([first, next], lapsed: ["2"]) == ["2 lapsed before its time"])
        let early = Checker.Holding("3", "s", from: 9, until: 12, expiresAt: 20)
        #expect(Checker.holdLife([first, early], lapsed: []) == ["s: 3 came before 1 was over"])
    }

    @Test func `order: who came later stands behind, unless both came at once`() {
        let first = Checker.Arrival("1", place: 7, invoked: 0, returned: 10)
        let atOnce = Checker.Arrival("2", place: 3, invoked: 9, returned: 12)
        #expect(Checker.order([first, atOnce]).isEmpty)
        let late = Checker.Arrival("3", place: 5, invoked: 11, returned: 20)
        #expect(Checker.order([first, atOnce, late]) == ["3 came after 1 and stands before"])
    }

    @Test func `standing: nobody is sent back, and nothing is undone`() {
        func seen(_ version: Int64, _ place: Int?) -> Checker.Standing {
            .init(version: version, place: place)
        }
        #expect(Checker.standing([seen(1, 4), seen(1, 2), seen(2, nil), seen(3, nil)]).isEmpty)
        #expect(Checker.standing([seen(1, 2), seen(1, 3)]) == ["place 3 after 2"])
        #expect(Checker.standing([seen(1, 1), seen(1, 0)]) == ["place 0 after 1"])
        #expect(Checker.standing([seen(2, nil), seen(2, 1)]) == ["waits again"])
        #expect(Checker.standing([seen(3, nil), seen(2, nil)]) == ["version 2 after 3"])
    }

    @Test func `liveness: what does not come to rest is named`() async throws {
        let left = Count()
        let calm = try await Checker.liveness([("events", { max(0, 2 - left.next()) })])
        #expect(calm.isEmpty)
        let stuck = try await Checker.liveness(within: .milliseconds(60), [("keys", { 3 })])
        #expect(stuck == ["3 keys"])
    }

    private typealias Seats = Linearizability<SeatRegister>

    @Test func `register: what may have been, and what cannot have been`() {
        let one = SeatRegister(capacity: 1)
        // Two at once: either may have won.
        let race = [
            Seats.Operation(.book(isGranted: true), 0, 10),
            Seats.Operation(.book(isGranted: false), 1, 5),
        ]
        #expect(Seats.holds(race, from: one))
        // Refused after the seat was given back, and nobody else there.
        let late = [
            Seats.Operation(.book(isGranted: true), 0, 1), Seats.Operation(.cancel, 2, 3),
            Seats.Operation(.book(isGranted: false), 4, 5),
        ]
        #expect(!Seats.holds(late, from: one))
        // Unless somebody's request, whose fate is unknown, has taken it.
        #expect(Seats.holds(late + [.init(.book(isGranted: true), 2, nil)], from: one))
        // Sold twice.
        let twice = [
            Seats.Operation(.book(isGranted: true), 0, 1),
            Seats.Operation(.book(isGranted: true), 2, 3),
        ]
        #expect(!Seats.holds(twice, from: one))
        // A read from the past.
        let stale = [
            Seats.Operation(.book(isGranted: true), 0, 1), Seats.Operation(.read(taken: 0), 2, 3),
        ]
        #expect(!Seats.holds(stale, from: one))
        #expect(Seats.holds([stale[0], .init(.read(taken: 0), 0, 3)], from: one))
    }

    @Test func `a journal has a line for every event before the client goes on`() throws {
        let file = URL(fileURLWithPath: "/tmp/janji-journal-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let journal = Journal(file)
        let id = journal.begin(3, "assign", "k", "a \"quoted\" body")
        let open = try String(contentsOf: file, encoding: .utf8)
        #expect(open.hasPrefix(#"{"p":3,"op":"assign","key":"k","type":"invoke""#))
        journal.end(id, .ok, "done")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 2)
        for line in lines { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        #expect(journal.count(.ok) == 1)
        let operation = try #require(journal.operations.first)
        #expect(operation.returned.map { $0 >= operation.invoked } == true)
    }
}
