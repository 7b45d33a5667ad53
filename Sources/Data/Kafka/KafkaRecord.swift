public import Environment

/// One record to write, or as read.
public struct KafkaRecord: Sendable {
    public var topic: String
    /// Records of one topic with the same key stay in order. Without a key they spread.
    public var key: [UInt8]?
    public var value: [UInt8]
    /// In order; names may repeat.
    public var headers: [(String, [UInt8])]

    public init(
        topic: String, key: [UInt8]?, value: [UInt8], headers: [(String, [UInt8])] = []
    ) {
        self.topic = topic
        self.key = key
        self.value = value
        self.headers = headers
    }

    /// The first header of this name.
    public func header(_ name: String) -> [UInt8]? {
        headers.first { $0.0 == name }?.1
    }

    var byteCount: Int {
        headers.reduce(value.count + (key?.count ?? 0) + 64) { $0 + $1.0.utf8.count + $1.1.count }
    }
}

/// A partition of a topic.
public struct KafkaPartition: Sendable, Hashable, CustomStringConvertible {
    public var topic: String
    public var index: Int32

    public init(topic: String, index: Int32) {
        self.topic = topic
        self.index = index
    }

    public var description: String { "\(topic)[\(index)]" }
}

/// Where a record is: offsets count from zero in each partition.
public struct KafkaPosition: Sendable, Hashable, CustomStringConvertible {
    public var topic: String
    public var partition: Int32
    public var offset: Int64

    public init(topic: String, partition: Int32, offset: Int64) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }

    public var description: String { "\(topic)[\(partition)]@\(offset)" }
}

/// A record as a consumer hands it out.
public struct ConsumedRecord: Sendable {
    public var record: KafkaRecord
    public var position: KafkaPosition
    /// The time that the producer (or the broker, by the topic's setting) gave it.
    public var timestamp: Instant?

    public var topic: String { record.topic }
    public var key: [UInt8]? { record.key }
    public var value: [UInt8] { record.value }
    public func header(_ name: String) -> [UInt8]? { record.header(name) }
}
