import FakeProvider
import Foundation
import Loop
import RPCHTTP2
import Synchronization
import TestKit
import Testing

extension EndToEnd {
    /// Promises 1, 2, 4, 6, 7, 8 and 9 of reliability.md at once: 64 clients, three booking
    /// processes, one database, a payment provider, and a nemesis that kills them; then the clients'
    /// journals against the tables.
    ///
    /// RACE_ATTEMPTS says how many requests at least (default 10,000; 100,000 in `deploy/test`; in
    /// twenty seconds at least, and until everything has happened that is looked for), RACE_SEED
    /// which ones.
    @Suite("The race, with kills on", .timeLimit(.minutes(180)))
    struct RaceTests {
        private static let clients = 64
        /// Of them, those who register for the school.
        private static let school = 8
        /// Those who wait in lines.
        private static let waiting = 6
        private static let loop = EventLoop(name: "provider")

        private static func number(_ name: String, _ fallback: Int) -> Int {
            ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? fallback
        }

        @Test("no overlap, no seat sold twice, nothing acknowledged is lost, no key is stuck")
        func race() async throws {
            let provider = try await FakeProvider.start(on: Self.loop)
            // The race delivers them itself.
            provider.set(.copies(0))
            var options = SystemUnderTest.Options()
            options.environment = RaceWorld.environment(provider)
            try await Stage.own(.apart, options) { stage in
                let replicas = try [
                    stage.system.replica(of: .booking), stage.system.replica(of: .booking),
                ]
                for replica in replicas { try await replica.launch() }
                let seed = Self.number("RACE_SEED", Int(Date().timeIntervalSince1970))
                let journal = Journal(stage.system.folder.appendingPathComponent("journal.jsonl"))
                let nemesis = Nemesis(stage.system, replicas, seed: UInt64(seed))
                let race = Race(
                    try await RaceWorld(stage, provider),
                    try await RaceCaller(stage, replicas, journal), nemesis, seed: UInt64(seed),
                    limit: Self.number("RACE_ATTEMPTS", 10_000))
                race.say("seed \(seed)")
                try await run(race)
                race.say("the storm is over after \(race.took)")
                try await RaceVerdict(race).pass()
                report(race)
                for replica in replicas { await replica.stop() }
            }
            await provider.close()
        }

        private func run(_ race: Race) async throws {
            let isOver = Mutex(false)
            let storm = Task {
                while !isOver.withLock({ $0 }) { try await race.nemesis.strike() }
            }
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<Self.clients {
                    group.addTask {
                        if number < Self.school {
                            var client = RaceSchool(race, number)
                            await client.live()
                        } else {
                            var client = RacePatient(
                                race, number, waits: number < Self.school + Self.waiting)
                            await client.live()
                        }
                    }
                }
            }
            isOver.withLock { $0 = true }
            try await storm.value
        }

        /// What it has seen; without the faults and the doubtful cases the run is void.
        private func report(_ race: Race) {
            let (journal, caller, nemesis) = (race.caller.journal, race.caller, race.nemesis)
            race.say(
                "\(journal.attempts) attempts (\(caller.calls) calls, \(caller.overEdge) by JSON "
                    + "through the edge) in \(race.took): \(journal.count(.ok)) acknowledged, "
                    + "\(journal.count(.fail)) refused, \(journal.count(.info)) unknown")
            race.say(
                "\(caller.settled) calls sent again, \(caller.replays) replays answered, "
                    + "\(caller.refusedBodies) other bodies refused; \(nemesis.seen)")
            race.say(
                "refusals: "
                    + caller.reasons.sorted { $0.value > $1.value }.map {
                        "\($0.value) × \($0.key)"
                    }
                    .joined(separator: ", "))
            #expect(journal.attempts >= race.limit)
            #expect(nemesis.strikes >= Nemesis.least, "void without faults")
            #expect(caller.settled > 0, "void without requests that had to be settled")
            #expect(caller.refusedBodies > 0 && caller.replays > 0 && caller.overEdge > 0)
            let done = Set(
                journal.operations.filter { $0.outcome == .ok }.map(\.name))
            #expect(done.isSuperset(of: RaceVerdict.awaited), "void without each of them")
        }
    }
}
