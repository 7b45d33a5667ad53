import Synchronization
import TestKit

/// Kills processes, sessions and the database, and brings them back.
final class Nemesis: Sendable {
    private let system: SystemUnderTest
    private let replicas: [SystemUnderTest.Replica]
    private let random: Mutex<SplitMix>
    private let counts = Mutex<[String: Int]>([:])

    init(_ system: SystemUnderTest, _ replicas: [SystemUnderTest.Replica], seed: UInt64) {
        self.system = system
        self.replicas = replicas
        random = Mutex(SplitMix(seed: seed))
    }

    var strikes: Int { counts.withLock { $0.values.reduce(0, +) } }
    var seen: String {
        counts.withLock { $0 }.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }
            .joined(separator: ", ")
    }

    /// How often it has done each of its deeds.
    var deeds: [String: Int] { counts.withLock { $0 } }

    static let deeds = [
        "process killed", "database stopped at once", "database killed", "sessions ended",
    ]

    /// With fewer of them a race is void.
    static let least = 3

    /// Waits a little, then does one of its deeds to the end.
    func strike() async throws {
        let (pause, deed, which) = random.withLock {
            (Int($0.next() % 2000), Int($0.next() % 5), Int($0.next() % 3))
        }
        try await Task.sleep(for: .milliseconds(1000 + pause))
        switch deed {
        case 0, 1:
            try await killProcess(which)
            note(Self.deeds[0])
        case 2:
            guard let cluster = system.cluster else { return }
            try await offThread {
                try cluster.stop(.immediate)
                try cluster.start()
            }
            note(Self.deeds[1])
        case 3:
            guard let cluster = system.cluster else { return }
            try await offThread {
                cluster.kill9()
                try cluster.start()
            }
            note(Self.deeds[2])
        default:
            _ = try? await system.sql(
                """
                select pg_terminate_backend(pid) from pg_stat_activity
                where application_name = 'janji-booking' and state <> 'idle' limit 3
                """)
            note(Self.deeds[3])
        }
    }

    /// The one that the edge calls, or one of the others.
    private func killProcess(_ which: Int) async throws {
        guard which == replicas.count else {
            await replicas[which].kill9()
            try await replicas[which].launch()
            return
        }
        guard let process = system.process(.booking) else { return }
        await process.kill9()
        try await system.launch()
    }

    private func note(_ deed: String) { counts.withLock { $0[deed, default: 0] += 1 } }
}
