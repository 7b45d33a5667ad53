/// Which HTTP a client speaks, by the first bytes that it sends: the preface of HTTP/2 (RFC 9113
/// §3.4) was chosen so that it is no request of HTTP/1.1.
enum SpokenVersion {
    case http1
    /// Also what is neither: the session says what is wrong with it.
    case http2

    private static let methods = [
        "GET ", "POST ", "OPTIONS ", "HEAD ", "PUT ", "DELETE ", "PATCH ",
    ].map { Array($0.utf8) }

    /// Nil while more bytes are needed (at most eight).
    init?(_ bytes: [UInt8]) {
        for method in SpokenVersion.methods {
            if bytes.starts(with: method) {
                self = .http1
                return
            }
            if method.starts(with: bytes) { return nil }
        }
        self = .http2
    }
}
