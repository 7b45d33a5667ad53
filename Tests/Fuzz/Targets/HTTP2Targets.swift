import HTTP2

extension FuzzTarget {
    static let http2Server = FuzzTarget("http2-server") { input in
        try checkSession(.server, &input)
    }

    static let http2Client = FuzzTarget("http2-client") { input in
        try checkSession(.client, &input)
    }

    /// However the bytes are cut, the same happens; whatever they are, every stream ends once and
    /// what we send is whole frames.
    private static func checkSession(_ role: HTTP2Session.Role, _ input: inout FuzzInput) throws {
        let habits = SessionProbe.Habits(rawValue: input.byte())
        let seed = input.byte()
        var bytes: [UInt8] = []
        if !habits.contains(.sendsRawBytes) {
            if role == .server { bytes += Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) }
            // Empty SETTINGS, and the acknowledgement of ours.
            bytes += [0, 0, 0, 4, 0, 0, 0, 0, 0] + [0, 0, 0, 4, 1, 0, 0, 0, 0]
        }
        bytes += input.rest
        let pieces = bytes.withUnsafeBytes { Piece.cut($0, seed) }
        let whole = bytes.withUnsafeBytes { [Piece($0)] }
        let first = try SessionProbe(role, habits).run(whole, flushing: false)
        let second = try SessionProbe(role, habits).run(pieces, flushing: false)
        // How much of a frame beyond the window is delivered is up to the cut, and whether the
        // library looks at what a peer opens after its GOAWAY.
        let overrun = (first + second).contains {
            $0 == "close FLOW_CONTROL_ERROR" || $0.hasPrefix("goaway ")
        }
        try require(
            first == second || overrun,
            "the cut matters:\n\(first.joined(separator: "\n"))\n--\n"
                + second.joined(separator: "\n"))
        _ = try SessionProbe(role, habits).run(pieces, flushing: true)
    }
}
