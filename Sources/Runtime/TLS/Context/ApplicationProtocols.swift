import COpenSSL

/// A list of ALPN names (RFC 7301), best first.
struct ApplicationProtocols: Sendable {
    private let names: [[UInt8]]
    /// Each name after its length.
    let wire: [UInt8]
    /// Whether a peer without ALPN can be talked to.
    let areOptional: Bool

    init(_ names: [String]) throws(TLSError) {
        self.names = names.map { Array($0.utf8) }
        guard !names.isEmpty, self.names.allSatisfy({ 1...255 ~= $0.count }) else {
            throw .configuration("no application protocols, or one without a name")
        }
        wire = self.names.flatMap { [UInt8($0.count)] + $0 }
        areOptional = names.contains("http/1.1")
    }

    /// Our best one that the client offers: a part of its list.
    func choose(from offered: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
        for name in names {
            var index = 0
            while index < offered.count {
                let end = index + 1 + Int(offered[index])
                guard end <= offered.count else { break }
                let candidate = UnsafeBufferPointer(rebasing: offered[(index + 1)..<end])
                if candidate.elementsEqual(name) { return candidate }
                index = end
            }
        }
        return nil
    }
}
