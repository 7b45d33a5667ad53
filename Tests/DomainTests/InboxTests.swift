import Environment
import Postgres
import Synchronization
import TestKit
import Testing

@testable import Domain

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(5))) struct InboxTests {
        private func effects(_ shop: Shop) async throws {
            let database = "inbox_\(shop.topic.split(separator: "_").last ?? "")"
            try await offThread {
                try PostgresCluster.shared().psql(
                    """
                    create table shop.effect (event_id uuid not null);
                    grant all on shop.effect to shop
                    """, database: database)
            }
        }

        /// What a consumer does with an event.
        private func handle(
            _ event: UUID, _ shop: Shop, dies: Bool = false
        ) async throws -> Bool {
            struct Killed: Error {}
            return try await shop.pool.transaction { transaction in
                guard try await Inbox.take(event, by: "test", transaction) else { return false }
                try await transaction.execute("insert into effect values (\(event))")
                if dies { throw Killed() }
                return true
            }
        }

        @Test("redelivered events have one effect, also when the consumer died before its commit")
        func once() async throws {
            let shop = try await Shop("inbox_once")
            try await effects(shop)
            let events = (0..<200).map { _ in UUID.timeOrdered() }
            for (index, event) in events.enumerated() where index % 3 == 0 {
                await #expect(throws: (any Error).self) {
                    _ = try await handle(event, shop, dies: true)
                }
            }
            let fresh = Count()
            let repeated = Count()
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask(executorPreference: Bench.loop) {
                        for event in events.shuffled() {
                            if (try? await handle(event, shop)) == true {
                                fresh.add()
                            } else {
                                repeated.add()
                            }
                        }
                    }
                }
            }
            #expect(fresh.value == 200 && repeated.value == 600)
            #expect(try await shop.number("select count(*) from effect") == 200)
            #expect(try await shop.number("select count(distinct event_id) from effect") == 200)
            await shop.close()
        }

        @Test("another consumer has its own memory")
        func consumers() async throws {
            let shop = try await Shop("inbox_two")
            let event = UUID.timeOrdered()
            for consumer in ["a", "b"] {
                #expect(
                    try await shop.pool.transaction {
                        try await Inbox.take(event, by: consumer, $0)
                    })
            }
            await shop.close()
        }

        @Test("an event from before the memory is refused, not taken for new; a known one is known")
        func stale() async throws {
            let shop = try await Shop("inbox_stale")
            let old = UUID.timeOrdered(.now() - .seconds(31 * 24 * 3600))
            let young = UUID.timeOrdered(.now() - .seconds(29 * 24 * 3600))
            await #expect(throws: Inbox.Stale.self) {
                try await shop.pool.transaction { _ = try await Inbox.take(old, by: "t", $0) }
            }
            #expect(try await shop.pool.transaction { try await Inbox.take(young, by: "t", $0) })
            try await shop.pool.execute(
                "insert into inbox (event_id, consumer) values (\(old), 't')")
            #expect(try await !shop.pool.transaction { try await Inbox.take(old, by: "t", $0) })
            await shop.close()
        }
    }
}
