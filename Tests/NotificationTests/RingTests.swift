import Environment
import Kafka
import Testing

@testable import Notification

struct RingTests {
    private func ring(_ offsets: [Int64], limit: Int = 100, partition: Int32 = 0) -> TopicRing {
        var ring = TopicRing(.init(events: limit, bytes: 1 << 20))
        for offset in offsets {
            let item = Samples.item(partition: partition, offset: offset)
            _ = ring.see(item.position)
            ring.append(item)
        }
        return ring
    }

    @Test(
        "X-48: a position is held when everything after it is",
        arguments: [
            // What was seen, the limit, the position, whether everything after it is held.
            ([5, 6, 7], 100, 5, true), ([5, 6, 7], 100, 4, true), ([5, 6, 7], 100, 3, false),
            ([5, 6, 7], 100, 7, true), ([5, 6, 7], 100, 8, false), ([5, 6, 7], 2, 4, false),
            ([5, 6, 7], 2, 5, true), ([5, 8, 9], 2, 5, true), ([5, 8, 9], 2, 4, false),
            ([], 100, 0, false),
        ] as [([Int64], Int, Int64, Bool)])
    func holds(seen: [Int64], limit: Int, after: Int64, isHeld: Bool) {
        #expect(ring(seen, limit: limit).holdsAll(after: after, of: 0) == isHeld)
    }

    @Test("another partition's position says nothing")
    func partitions() {
        #expect(!ring([1, 2]).holdsAll(after: 1, of: 1))
        #expect(ring([1, 2]).items(after: [1: 0]).isEmpty)
    }

    @Test("what comes back are the events after the position, in order")
    func items() {
        let found = ring([1, 2, 3, 4]).items(after: [0: 2]).map(\.position.offset)
        #expect(found == [3, 4])
    }

    @Test("an offset counts once, also one that held no event")
    func seen() {
        var ring = ring([1])
        let place = KafkaPosition(topic: "booking.created", partition: 0, offset: 2)
        let (first, second) = (ring.see(place), ring.see(place))
        #expect(first && !second)
        #expect(ring.holdsAll(after: 2, of: 0))
    }

    @Test("the ring is bounded by bytes too, and always keeps the newest")
    func bytes() {
        let size = Samples.item(offset: 0).byteCount
        var ring = TopicRing(.init(events: 100, bytes: size * 3))
        for offset in Int64(0)..<2000 {
            let item = Samples.item(offset: offset)
            _ = ring.see(item.position)
            ring.append(item)
            #expect(ring.count <= 4)
        }
        #expect(ring.items(after: [0: 1998]).map(\.position.offset) == [1999])
        #expect(!ring.holdsAll(after: 1000, of: 0))
    }
}
