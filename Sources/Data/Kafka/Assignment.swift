import CRdkafka

/// The partitions of a consumer and, for each, the next offset to take from librdkafka (or one of
/// its logical offsets while nothing was taken).
struct Assignment {
    private var next: [KafkaPartition: Int64] = [:]
    /// Whether partitions were looked for at all: none is also an answer.
    private(set) var isKnown = false

    func contains(_ partition: KafkaPartition) -> Bool { next[partition] != nil }

    var positions: [(KafkaPartition, Int64)] { next.map { ($0.key, $0.value) } }

    /// Adds those not there yet and returns them with their offsets.
    mutating func add(
        _ partitions: [KafkaPartition], offset: (KafkaPartition) -> Int64
    ) -> [(KafkaPartition, Int64)] {
        isKnown = true
        var new: [(KafkaPartition, Int64)] = []
        for partition in partitions where next[partition] == nil {
            let offset = offset(partition)
            next[partition] = offset
            new.append((partition, offset))
        }
        return new
    }

    mutating func advance(_ partition: KafkaPartition, to offset: Int64) {
        guard let index = next.index(forKey: partition), offset > next.values[index] else { return }
        next.values[index] = offset
    }

    /// Also backwards.
    mutating func move(_ partition: KafkaPartition, to offset: Int64) {
        next[partition] = offset
    }
}

/// When reading has begun, and who waits for it.
struct Readiness {
    private var awaited: Set<KafkaPartition> = []
    private var isAssigned = false
    private var failure: KafkaError?
    private var waiters: [(Result<Void, any Error>) -> Void] = []

    /// Reading from the end begins when the end is known, partition by partition.
    mutating func await(_ partitions: [KafkaPartition]) { awaited.formUnion(partitions) }

    mutating func assigned() {
        isAssigned = true
        tell()
    }

    mutating func reached(_ partition: KafkaPartition) {
        guard !awaited.isEmpty, awaited.remove(partition) != nil else { return }
        tell()
    }

    mutating func fail(_ error: KafkaError) {
        guard failure == nil else { return }
        failure = error
        tell()
    }

    mutating func whenReady(_ body: @escaping (Result<Void, any Error>) -> Void) {
        waiters.append(body)
        tell()
    }

    private mutating func tell() {
        let isReady = isAssigned && awaited.isEmpty
        guard isReady || failure != nil else { return }
        let told = waiters
        waiters = []
        for waiter in told {
            if let failure { waiter(.failure(failure)) } else { waiter(.success(())) }
        }
    }
}
