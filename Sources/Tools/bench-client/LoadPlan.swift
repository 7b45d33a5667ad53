/// What the command line asks for.
struct LoadPlan: Sendable {
    enum Mode: String, Sendable {
        case unary, stream, pingpong
    }

    var host = "127.0.0.1"
    var port: UInt16 = 0
    var mode = Mode.unary
    /// Bytes of `data` in each message.
    var payload = 32
    /// Calls, or streams, at a time.
    var outstanding = 100
    /// Of the measured part, behind half a second of warming up.
    var seconds = 3.0
    /// Calls, streams or rounds of a run that ends by count, all of them measured.
    var count: Int?
    /// Of one server stream.
    var messages: Int32 = 1000

    init?(_ arguments: [String]) {
        var rest = arguments.dropFirst()
        while let name = rest.popFirst() {
            guard let value = rest.popFirst(), set(name, value) else { return nil }
        }
        if port == 0 || outstanding < 1 || payload < 0 || messages < 1 { return nil }
    }

    private mutating func set(_ name: String, _ value: String) -> Bool {
        switch name {
        case "--host": host = value
        case "--port": port = UInt16(value) ?? 0
        case "--mode":
            guard let known = Mode(rawValue: value) else { return false }
            mode = known
        case "--payload": payload = Int(value) ?? -1
        case "--outstanding": outstanding = Int(value) ?? 0
        case "--secs":
            guard let number = Double(value), number > 0 else { return false }
            seconds = number
        case "--count":
            guard let number = Int(value), number > 0 else { return false }
            count = number
        case "--messages": messages = Int32(value) ?? 0
        default: return false
        }
        return true
    }
}
