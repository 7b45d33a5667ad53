/// Method, target and version of a request line (RFC 9112 §3), with exactly one space between.
struct RequestLine {
    let method: HTTPMethod
    let version: HTTPVersion
    let target: Range<Int>
    let path: Range<Int>
    let query: Range<Int>?
    /// The authority of a target in absolute form; must agree with Host.
    let authority: Range<Int>?

    /// Room for the method and the version beside the target.
    static let overhead = 32

    init(
        _ line: Range<Int>, of bytes: UnsafeBufferPointer<UInt8>, limits: HTTPLimits
    ) throws(HTTPError) {
        let first = line.first { bytes[$0] == ASCII.space } ?? line.upperBound
        let rest = min(first + 1, line.upperBound)..<line.upperBound
        let second = rest.first { bytes[$0] == ASCII.space } ?? line.upperBound
        let name = UnsafeBufferPointer(rebasing: bytes[line.lowerBound..<first])
        guard !name.isEmpty, name.allSatisfy({ ASCII.isToken($0) }), rest.lowerBound < second,
            second < line.upperBound
        else { throw HTTPError(.malformedStartLine, "the request line is malformed") }
        version = try HTTPVersion(
            parsing: UnsafeBufferPointer(rebasing: bytes[(second + 1)..<line.upperBound]))
        target = rest.lowerBound..<second
        guard target.count <= limits.targetBytes else {
            throw HTTPError(.targetTooLong, "the request target is too long")
        }
        guard let known = HTTPMethod(name) else {
            throw HTTPError(.unsupportedMethod, "the request method is not known here")
        }
        method = known
        let authority = Self.authority(of: target, in: bytes)
        self.authority = authority
        let local = (authority?.upperBound ?? target.lowerBound)..<target.upperBound
        if ASCII.equal(UnsafeBufferPointer(rebasing: bytes[local]), "*"), method == .options {
            path = local
            query = nil
            return
        }
        guard let first = local.first, bytes[first] == UInt8(ascii: "/") else {
            throw HTTPError(.malformedTarget, "the request target does not begin with a slash")
        }
        let mark = local.first { bytes[$0] == UInt8(ascii: "?") }
        path = local.lowerBound..<(mark ?? local.upperBound)
        query = mark.map { ($0 + 1)..<local.upperBound }
        guard path.allSatisfy({ ASCII.isPath(bytes[$0]) }),
            query?.allSatisfy({ ASCII.isQuery(bytes[$0]) }) ?? true
        else { throw HTTPError(.malformedTarget, "the request target contains a forbidden byte") }
    }

    /// The part between "http://" and the next slash, for a target in absolute form.
    private static func authority(
        of target: Range<Int>, in bytes: UnsafeBufferPointer<UInt8>
    ) -> Range<Int>? {
        for scheme in ["http://", "https://"] where target.count > scheme.utf8.count {
            let prefix = target.lowerBound..<(target.lowerBound + scheme.utf8.count)
            guard ASCII.equalIgnoringCase(UnsafeBufferPointer(rebasing: bytes[prefix]), scheme)
            else { continue }
            let rest = prefix.upperBound..<target.upperBound
            let slash = rest.first { bytes[$0] == UInt8(ascii: "/") }
            return rest.lowerBound..<(slash ?? rest.upperBound)
        }
        return nil
    }
}
