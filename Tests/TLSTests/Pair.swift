import TLS

/// A client's and a server's session with a wire between them.
final class Pair {
    let client: TLSSession
    let server: TLSSession
    var clientError: TLSError?
    var serverError: TLSError?
    var clientGot: [UInt8] = []
    var serverGot: [UInt8] = []

    init(_ client: TLSClientContext, _ server: TLSServerContext, host: String = "localhost") throws
    {
        self.client = try TLSSession(client, host: host)
        self.server = try TLSSession(server)
        do { try self.client.start() } catch { clientError = error }
    }

    /// Carries bytes until both have nothing to say.
    /// - Parameter piece: at most this many bytes at once.
    func run(piece: Int = .max) {
        while client.outputCount + server.outputCount > 0 {
            for bytes in Pair.pieces(client, piece) where serverError == nil {
                do {
                    try bytes.withUnsafeBytes { bytes in
                        try server.receive(bytes) {
                            serverGot += $0
                            return true
                        }
                    }
                } catch { serverError = error as? TLSError }
            }
            for bytes in Pair.pieces(server, piece) where clientError == nil {
                do {
                    try bytes.withUnsafeBytes { bytes in
                        try client.receive(bytes) {
                            clientGot += $0
                            return true
                        }
                    }
                } catch { clientError = error as? TLSError }
            }
        }
    }

    static func pieces(_ session: TLSSession, _ size: Int) -> [[UInt8]] {
        var bytes: [UInt8] = []
        session.takeOutput { bytes += $0 }
        guard bytes.count > size else { return bytes.isEmpty ? [] : [bytes] }
        return stride(from: 0, to: bytes.count, by: size).map {
            Array(bytes[$0..<min($0 + size, bytes.count)])
        }
    }
}
