import Crypto
import Domain
import Environment
import Foundation
import Schema
import TestKit
import Testing

@testable import Booking

/// Seeded stories of customers, a provider and the time against the pure rules: transactions that
/// are lost before they commit, answers that are lost after it, retries under the same key, reports
/// twice and in disorder, and clocks that jump. A seed repeats its story step by step.
///
/// SIMULATION_SEEDS says how many stories (default 500), SIMULATION_SEED tells one of them.
@Suite("The simulation of the rules") struct SimulationTests {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    @Test("stories of 120 steps: seats, money and keys are right after each of them")
    func stories() throws {
        let seeds: [UInt64]
        if let one = Self.number("SIMULATION_SEED") {
            seeds = [one]
        } else {
            let first = UInt64(Date().timeIntervalSince1970) &* 1_000_003
            seeds = (0..<(Self.number("SIMULATION_SEEDS") ?? 500)).map { first &+ $0 }
        }
        var seen: [String: Int] = [:]
        for seed in seeds {
            var story = SimulatedStory(seed: seed)
            do {
                try story.run(steps: 120)
            } catch {
                Issue.record("SIMULATION_SEED=\(seed), step \(story.step): \(error)")
                break
            }
            seen.merge(story.seen) { $0 + $1 }
        }
        guard seeds.count >= 100 else { return }
        for what in SimulatedStory.awaited {
            #expect(seen[what, default: 0] > 0, "void without: \(what); \(seen)")
        }
    }

    @Test("a seed tells the same story every time")
    func replay() throws {
        for seed in UInt64(1)...20 {
            var (one, other) = (SimulatedStory(seed: seed), SimulatedStory(seed: seed))
            try one.run(steps: 120)
            try other.run(steps: 120)
            #expect(one.log == other.log && !one.log.isEmpty)
        }
    }
}
