import HTTP2

extension HTTP2Fields {
    static let ok: HTTP2Fields = {
        let fields = HTTP2Fields(immortal: true)
        fields.append(":status", "200")
        return fields
    }()

    static let someTrailers: HTTP2Fields = {
        let fields = HTTP2Fields(immortal: true)
        fields.append("x-status", "0")
        return fields
    }()
}

extension HTTP2Stream {
    func write(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { write($0) } }
}
