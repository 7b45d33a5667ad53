import CCurl
import Environment
import HTTP1
import Loop

/// One exchange. Loop only.
final class Transfer: @unchecked Sendable {  // confined to the client's loop
    let request: HTTPClientRequest
    private(set) var easy: UnsafeMutableRawPointer?
    private var continuation: CheckedContinuation<HTTPClientResponse, any Error>?
    private var fields: UnsafeMutablePointer<curl_slist>?
    private let words = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private var timer: LoopTimer?
    private(set) var isOver = false
    // What has come so far.
    private var status = 0
    private var headers = HTTPHeaders()
    private var headBytes = 0
    private var body: [UInt8] = []
    private var refusal: HTTPClientError?
    private var maxBodyBytes = 0
    private var maxHeadBytes = 0

    init(_ request: HTTPClientRequest) {
        self.request = request
        words.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit { words.deallocate() }

    // MARK: Life

    /// Cancelled before it began: nothing has to be undone.
    func abandon() { isOver = true }

    func wait(_ continuation: CheckedContinuation<HTTPClientResponse, any Error>) {
        self.continuation = continuation
    }

    func expire(after duration: Duration, on loop: EventLoop, _ body: @escaping () -> Void) {
        timer = loop.schedule(after: duration, body)
    }

    /// The caller is answered and curl's memory is freed. The handle has left the multi handle.
    func finish(_ result: Result<HTTPClientResponse, any Error>) {
        isOver = true
        timer?.cancel()
        timer = nil
        if let easy { curl_easy_cleanup(easy) }
        easy = nil
        curl_slist_free_all(fields)
        fields = nil
        continuation?.resume(with: result)
        continuation = nil
    }

    // MARK: Beginning

    /// - Throws: ``HTTPClientError`` invalidRequest for what must not be sent.
    func prepare(_ configuration: HTTPClientConfiguration) throws(HTTPClientError) {
        maxBodyBytes = configuration.maxBodyBytes
        maxHeadBytes = configuration.maxHeadBytes
        guard !request.url.utf8.contains(where: { $0 <= 32 || $0 == 127 }) else {
            throw invalid("the URL holds a space or a control character")
        }
        guard let easy = curl_easy_init() else {
            throw HTTPClientError(.closed, "no memory for a request", blame: .us)
        }
        self.easy = easy
        let milliseconds = configuration.connectTimeout.nanoseconds / 1_000_000
        _ = janji_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, words)
        _ = janji_curl_set_text(easy, CURLOPT_URL, request.url)
        _ = janji_curl_set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        _ = janji_curl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        _ = janji_curl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        _ = janji_curl_set_long(easy, CURLOPT_SSL_VERIFYPEER, 1)
        _ = janji_curl_set_long(easy, CURLOPT_SSL_VERIFYHOST, 2)
        _ = janji_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, Int(max(1, milliseconds)))
        _ = janji_curl_set_text(easy, CURLOPT_PROXY, configuration.proxy ?? "")
        if let file = configuration.authorityFile {
            _ = janji_curl_set_text(easy, CURLOPT_CAINFO, file)
        }
        setMethod(easy)
        try setFields(easy)
        let me = Unmanaged.passUnretained(self).toOpaque()
        _ = janji_curl_set_pointer(easy, CURLOPT_WRITEDATA, me)
        _ = janji_curl_set_sink(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, data in
            Transfer.of(data).take(body: bytes, size * count)
        }
        _ = janji_curl_set_pointer(easy, CURLOPT_HEADERDATA, me)
        _ = janji_curl_set_sink(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, data in
            Transfer.of(data).take(line: bytes, size * count)
        }
    }

    private func setMethod(_ easy: UnsafeMutableRawPointer) {
        if !request.body.isEmpty || request.method == .post {
            _ = janji_curl_set_long(easy, CURLOPT_POST, 1)
            _ = janji_curl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, request.body.count)
            request.body.withUnsafeBytes {
                // Copied; "" for none, since curl would read a nil as “ask a callback”.
                _ = janji_curl_set_text(
                    easy, CURLOPT_COPYPOSTFIELDS,
                    $0.baseAddress?.assumingMemoryBound(to: CChar.self) ?? Transfer.nothing)
            }
        }
        switch request.method {
        case .get where request.body.isEmpty: _ = janji_curl_set_long(easy, CURLOPT_HTTPGET, 1)
        case .head: _ = janji_curl_set_long(easy, CURLOPT_NOBODY, 1)
        case .post: break
        default:
            _ = janji_curl_set_text(easy, CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        }
    }

    private nonisolated(unsafe) static let nothing: UnsafePointer<CChar> = {
        let empty = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        empty.initialize(to: 0)
        return UnsafePointer(empty)
    }()

    private func setFields(_ easy: UnsafeMutableRawPointer) throws(HTTPClientError) {
        // curl would ask the server whether it wants a large body, and wait a second.
        var lines = ["Expect:"]
        if !request.headers.contains("content-type") { lines.append("Content-Type:") }
        for index in 0..<request.headers.count {
            let (name, value) = request.headers.field(at: index)
            guard !Self.ownFields.contains(name.lowercased()) else {
                throw invalid("the field \(name) is the client's own")
            }
            lines.append(value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        for line in lines {
            guard let longer = curl_slist_append(fields, line) else {
                throw HTTPClientError(.closed, "no memory for a request", blame: .us)
            }
            fields = longer
        }
        _ = janji_curl_set_pointer(easy, CURLOPT_HTTPHEADER, fields)
    }

    private static let ownFields: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "expect", "upgrade",
    ]

    private func invalid(_ message: String) -> HTTPClientError {
        HTTPClientError(.invalidRequest, message, blame: .caller)
    }

    // MARK: The answer

    private static func of(_ data: UnsafeMutableRawPointer?) -> Transfer {
        guard let data else { preconditionFailure("a handle without its transfer") }
        return Unmanaged<Transfer>.fromOpaque(data).takeUnretainedValue()
    }

    private func take(body bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        guard body.count + count <= maxBodyBytes else {
            refusal = HTTPClientError(
                .tooLarge, "the answer is larger than \(maxBodyBytes) bytes", blame: .server,
                mayHaveArrived: true)
            return 0
        }
        body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
        return count
    }

    private func take(line bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        headBytes += count
        guard headBytes <= maxHeadBytes else {
            refusal = HTTPClientError(
                .tooLarge, "the head of the answer is larger than \(maxHeadBytes) bytes",
                blame: .server, mayHaveArrived: true)
            return 0
        }
        let line = String(
            decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            // After an interim answer (100, 103) the real one begins anew.
            headers = HTTPHeaders()
            return count
        }
        guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else { return count }
        let name = String(line[..<colon])
        let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        let end = value.lastIndex { !$0.isWhitespace }
        do {
            try headers.add(name, String(end.map { value[...$0] } ?? ""))
        } catch {
            refusal = HTTPClientError(
                .badResponse, "the answer has a header field that is none", blame: .server,
                mayHaveArrived: true)
            return 0
        }
        return count
    }

    /// What curl's end of the exchange means.
    func outcome(_ code: CURLcode) -> Result<HTTPClientResponse, any Error> {
        guard code == CURLE_OK else { return .failure(failure(code)) }
        var status = 0
        if let easy { _ = janji_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &status) }
        guard (100...999).contains(status) else {
            return .failure(
                HTTPClientError(
                    .badResponse, "the answer has no status", blame: .server, mayHaveArrived: true))
        }
        return .success(
            HTTPClientResponse(status: HTTPStatus(rawValue: status), headers: headers, body: body))
    }

    private func failure(_ code: CURLcode) -> HTTPClientError {
        if let refusal { return refusal }
        let (meaning, message, blame): (HTTPClientError.Code, String, HTTPClientError.Blame) =
            switch code {
            // curl's word for HTTP/0.9 too, which comes after the request.
            case CURLE_URL_MALFORMAT,
                CURLE_UNSUPPORTED_PROTOCOL where !wasSent:
                (.invalidRequest, "the URL is no http or https URL", .caller)
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
                (.unresolved, "the server's name has no address", .server)
            case CURLE_COULDNT_CONNECT: (.cannotConnect, "no connection could be made", .server)
            case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CACERT_BADFILE,
                CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
                (.insecure, "no secure connection could be made", .server)
            case CURLE_OPERATION_TIMEDOUT: (.timedOut, "the time to connect is over", .server)
            case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE:
                (.connectionLost, "the connection ended before the answer was complete", .server)
            case CURLE_OUT_OF_MEMORY, CURLE_FAILED_INIT: (.closed, "curl cannot go on", .us)
            default: (.badResponse, "the answer is no HTTP", .server)
            }
        let own = String(cString: words)
        return HTTPClientError(
            meaning, message, blame: blame,
            cause: own.isEmpty ? String(cString: curl_easy_strerror(code)) : own,
            mayHaveArrived: wasSent)
    }

    /// Whether any byte of the request has left.
    var wasSent: Bool {
        var size = 0
        if let easy { _ = janji_curl_get_long(easy, CURLINFO_REQUEST_SIZE, &size) }
        return size > 0
    }

    var timeIsOver: HTTPClientError {
        wasSent
            ? HTTPClientError(
                .timedOut, "the server did not answer in time", blame: .server,
                mayHaveArrived: true)
            : HTTPClientError(
                .timedOut, "the request could not be sent in time", blame: .server)
    }
}
