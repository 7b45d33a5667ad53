import Kafka

/// The newest events of one topic, bounded by number and bytes, and from which offset on each
/// partition is complete. Not thread-safe.
struct TopicRing {
    struct Limit: Sendable {
        var events = 2048
        var bytes = 4 << 20
    }

    private struct Extent {
        /// Every offset from here on was seen, and what was an event is kept.
        var from: Int64
        /// The newest offset that was seen.
        var last: Int64
    }

    private let limit: Limit
    private var items: [FeedItem] = []
    private var head = 0
    private var bytes = 0
    private var extents: [Int32: Extent] = [:]

    init(_ limit: Limit) {
        self.limit = limit
    }

    var count: Int { items.count - head }

    /// An offset was read, whether or not it held an event.
    /// - Returns: false when it had been read before.
    mutating func see(_ position: KafkaPosition) -> Bool {
        guard let extent = extents[position.partition] else {
            extents[position.partition] = Extent(from: position.offset, last: position.offset)
            return true
        }
        guard position.offset > extent.last else { return false }
        extents[position.partition]?.last = position.offset
        return true
    }

    mutating func append(_ item: FeedItem) {
        items.append(item)
        bytes += item.byteCount
        while count > limit.events || bytes > limit.bytes, count > 1 {
            let old = items[head]
            head += 1
            bytes -= old.byteCount
            extents[old.position.partition]?.from = old.position.offset + 1
        }
        if head > 1024, head * 2 > items.count {
            items.removeFirst(head)
            head = 0
        }
    }

    /// Whether everything after `offset` is here: nothing of the partition was passed by, and the
    /// offset is not from another life of the log.
    func holdsAll(after offset: Int64, of partition: Int32) -> Bool {
        guard let extent = extents[partition] else { return false }
        return offset + 1 >= extent.from && offset <= extent.last
    }

    /// What came after these offsets, in the order of arrival.
    func items(after offsets: [Int32: Int64]) -> [FeedItem] {
        items[head...].filter { item in
            offsets[item.position.partition].map { item.position.offset > $0 } ?? false
        }
    }

    /// Reading was interrupted: older events say nothing about completeness any more.
    mutating func forget() {
        self = TopicRing(limit)
    }
}
