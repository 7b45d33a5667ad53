import HTTP2

/// A stream that writes down what happens to it.
final class ProbeStream: HTTP2Stream {
    private unowned let probe: SessionProbe
    private var lines: [String] = []
    private var received: [UInt8] = []
    private(set) var closings = 0
    var isAnswered = false

    static let request = fields([
        (":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "x"),
        ("te", "trailers"),
    ])
    static let response = fields([(":status", "200"), ("content-type", "application/grpc")])
    static let trailers = fields([("grpc-status", "0")])

    private static func fields(_ list: [(String, String)]) -> HTTP2Fields {
        let fields = HTTP2Fields(immortal: true)
        for (name, value) in list { fields.append(name, value) }
        return fields
    }

    init(_ probe: SessionProbe) {
        self.probe = probe
    }

    func send(count: Int) {
        _ = [UInt8](repeating: 7, count: count).withUnsafeBytes { write($0) }
    }

    /// Data counts as one piece, however many it came in.
    private func noteData() {
        if !received.isEmpty { lines.append("data \(received)") }
        received = []
    }

    func takeLines() -> [String] {
        noteData()
        return lines
    }

    override func didReceiveHeaders(_ block: HeaderBlock, endStream: Bool) {
        noteData()
        let fields = (0..<block.count).map { index in
            String(decoding: block.name(index), as: UTF8.self) + "="
                + String(decoding: block.value(index), as: UTF8.self)
        }
        lines.append("headers \(block.isTooLarge) \(endStream) \(fields)")
        probe.didReceiveHeaders(self)
    }

    override func didReceiveData(_ bytes: UnsafeRawBufferPointer, endStream: Bool) {
        received += bytes
        probe.didReceiveData(self, bytes.count)
    }

    override func didReceiveEnd() {
        noteData()
        lines.append("end")
        probe.didEnd(self)
    }

    override func didClose(_ code: HTTP2Code) {
        noteData()
        lines.append("close \(code)")
        closings += 1
    }
}
