import Environment
import Loop
import Postgres
import TestKit
import Testing

@testable import Domain

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(5))) struct OutboxArchiveTests {
        /// The list once no transaction from before holds it back.
        private func settled(
            _ shop: Shop, _ selection: OutboxArchive.Selection, _ count: Int
        ) async throws -> [OutboxArchive.Entry] {
            let archive = OutboxArchive(pool: shop.pool)
            _ = try await eventually {
                try await archive.list(selection, limit: 10).count == count
            }
            let all = try await archive.list(selection, limit: 10)
            try #require(all.count == count)
            return all
        }

        @Test(
            "ids follow the commits of an aggregate, transaction ids do not: the relay reads by id")
        func order() async throws {
            let shop = try await Shop("archive_order")
            // The first transaction has the lower number and comes second to the aggregate.
            try await shop.pool.transaction { first in
                try await first.execute(Outbox.insert([shop.event("other", 1)]))
                try await shop.commit(key: "k", version: 1)
                try await first.execute(Outbox.insert([shop.event("k", 2)]))
            }
            let byTransaction = try await settled(shop, .init(key: "k"), 2)
            #expect(byTransaction.map { $0.body.contains(#""version":"1""#) } == [false, true])
            let relay = try shop.relay()
            #expect(try await eventually { shop.heard.count == 3 })
            #expect(shop.heard.versions(of: "k") == [1, 2])
            await relay.stop()
            await shop.close()
        }

        @Test("reliability 4: who reads on after a cursor misses nothing of 8 writers")
        func cursor() async throws {
            let shop = try await Shop("archive_cursor")
            let archive = OutboxArchive(pool: shop.pool)
            let isDone = Count()
            let writing = Task {
                await withTaskGroup(of: Void.self) { group in
                    for writer in 0..<8 {
                        group.addTask(executorPreference: Bench.loop) {
                            for version in 1...60 {
                                try? await shop.pool.transaction { transaction in
                                    try await transaction.execute(
                                        Outbox.insert([shop.event("w\(writer)", version)]))
                                    try await Bench.loop.sleep(
                                        for: .microseconds(.random(in: 0...3000)))
                                }
                            }
                        }
                    }
                }
                isDone.add()
            }
            var seen: [OutboxArchive.Entry] = []
            let patience = Deadline.after(.seconds(120))
            while true {
                let last = isDone.value > 0
                let page = try await archive.list(.init(), after: seen.last?.cursor, limit: 50)
                seen += page
                // Transactions of other databases of the server hold the cursor back as well.
                if last, page.isEmpty {
                    let written = try await shop.number("select count(*) from outbox")
                    guard seen.count < written, !patience.hasPassed else { break }
                    try await Bench.loop.sleep(for: .milliseconds(20))
                }
            }
            await writing.value
            // A writer that did not get a connection in time has written nothing.
            let written = try await shop.number("select count(*) from outbox")
            #expect(written > 100)
            #expect(seen.count == written)
            #expect(Set(seen.map(\.eventID)).count == written)
            await shop.close()
        }

        @Test("a running transaction holds the cursor back: its events come, in no page twice")
        func held() async throws {
            let shop = try await Shop("archive_held")
            let archive = OutboxArchive(pool: shop.pool)
            try await shop.pool.transaction { slow in
                try await slow.execute(Outbox.insert([shop.event("slow", 1)]))
                try await shop.commit(key: "fast", version: 1)
                #expect(try await archive.list(.init(), limit: 10).isEmpty)
            }
            let all = try await settled(shop, .init(), 2)
            #expect(all.map(\.key) == ["slow", "fast"])
            #expect(try await archive.list(.init(), after: all[0].cursor, limit: 10).count == 1)
            #expect(OutboxArchive.Cursor(all[0].cursor.description) == all[0].cursor)
            #expect(OutboxArchive.Cursor("1.x") == nil && OutboxArchive.Cursor("-1.2") == nil)
            await shop.close()
        }

        @Test("replay by topic, key and time: those events and all that followed on their keys")
        func replay() async throws {
            let shop = try await Shop("archive_replay")
            let relay = try shop.relay()
            let archive = OutboxArchive(pool: shop.pool)
            for version in 1...5 {
                for key in ["a", "b"] { try await shop.commit(key: key, version: version) }
            }
            relay.relay.poke()
            #expect(try await eventually { shop.heard.count == 10 })
            #expect(try await eventually { try await shop.unpublished() == 0 })
            let third = try await settled(shop, .init(key: "a"), 5)[2]
            let selection = OutboxArchive.Selection(
                topic: shop.topic, key: "a", since: third.at, until: third.at + .microseconds(1))
            #expect(try await archive.replayable(selection) == 3)
            #expect(try await archive.replay(selection) == 3)
            relay.relay.poke()
            #expect(try await eventually { shop.heard.count == 13 })
            #expect(shop.heard.versions(of: "a") == [1, 2, 3, 4, 5, 3, 4, 5])
            #expect(shop.heard.versions(of: "b") == [1, 2, 3, 4, 5])
            #expect(shop.heard.ids.count == 10, "the same events")
            #expect(try await archive.replay(.init(topic: "no.such")) == 0)
            await relay.stop()
            await shop.close()
        }
    }
}
