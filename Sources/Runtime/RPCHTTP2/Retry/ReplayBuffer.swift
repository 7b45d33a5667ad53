/// The request messages of a call, kept so that it can be sent again. The usual call has one,
/// which needs no array.
struct ReplayBuffer {
    private var first: WireMessage?
    private var rest: [WireMessage] = []
    private(set) var bytes = 0
    private(set) var largest = 0

    mutating func append(_ message: WireMessage) {
        largest = max(largest, message.bytes.count)
        bytes += message.bytes.count
        if first == nil { first = message } else { rest.append(message) }
    }

    /// Writes all of them. False: the stream holds more than it should.
    func write(to stream: ClientStream) -> Bool {
        guard let first else { return true }
        var hasRoom = stream.put(first)
        for message in rest { hasRoom = stream.put(message) }
        return hasRoom
    }
}
