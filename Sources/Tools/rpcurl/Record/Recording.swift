import Protobuf
import RPC

/// Writes calls to a file, an event a line, each at once: what is cut off by a crash is the last
/// line. Lines of JSON and not the binary log of gRPC (A16), whose events they mirror: a recording
/// can be read, searched with grep and jq, edited, and kept beside the code in version control.
final class RecordingWriter {
    private let file: OutputFile
    private let keepsSecrets: Bool

    /// - Throws: `Failure` when the file cannot be written.
    init(path: String, keepsSecrets: Bool) throws(Failure) {
        file = try OutputFile(path: path, isPrivate: true)
        self.keepsSecrets = keepsSecrets
        try file.write(Recording.head.encoded() + [0x0A])
    }

    /// - Parameter decoded: of a message whose type is known.
    func write(_ event: CallEvent, decoded: JSONValue?) throws(Failure) {
        let json = event.json(decoded: decoded, keepsSecrets: keepsSecrets)
        try file.write(json.encoded() + [0x0A])
    }
}

/// A recording, read.
struct Recording {
    struct Call {
        enum Step: Equatable {
            case request([UInt8])
            case halfClose
            /// The answer that came then: later requests may depend on it.
            case response
        }

        var number: Int
        var method: String
        var metadata: Metadata
        var timeout: Duration?
        var steps: [Step] = []
        var headers = Metadata()
        var responses: [[UInt8]] = []
        /// Nil when the recording ends before the call.
        var end: (error: RPCError?, trailers: Metadata, byClient: Bool)?
        var duration = Duration.zero
    }

    static let head: JSONValue = ["recording": 1]

    private(set) var calls: [Call] = []

    /// - Parameter path: for errors.
    /// - Throws: `Failure` with the line.
    init(_ bytes: [UInt8], path: String) throws(Failure) {
        var index: [Int: Int] = [:]
        var isFirst = true
        for (number, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
            .enumerated()
        {
            let place = "\(path):\(number + 1)"
            guard line.contains(where: { $0 > 0x20 }) else { continue }
            let json: JSONValue
            do {
                json = try JSONValue.parse(Array(line), maxDepth: 200)
            } catch {
                throw Failure("\(place): \(error)")
            }
            if isFirst {
                isFirst = false
                guard json["recording"]?.integer == 1 else {
                    throw Failure("\(path) is no recording of rpcurl (or of a newer one)")
                }
                continue
            }
            do throws(Failure) {
                try add(try CallEvent(json), &index)
            } catch {
                throw Failure("\(place): \(error.sentence)")
            }
        }
        guard !isFirst else { throw Failure("\(path) is empty: no recording") }
    }

    private mutating func add(_ event: CallEvent, _ index: inout [Int: Int]) throws(Failure) {
        if case .begin(let method, let metadata, let timeout, _) = event.kind {
            guard index[event.call] == nil else {
                throw Failure("call \(event.call) begins twice")
            }
            index[event.call] = calls.count
            calls.append(
                Call(number: event.call, method: method, metadata: metadata, timeout: timeout))
            return
        }
        guard let position = index[event.call] else {
            throw Failure("call \(event.call) has not begun")
        }
        calls[position].duration = event.time
        switch event.kind {
        case .begin: break
        case .request(let bytes): calls[position].steps.append(.request(bytes))
        case .halfClose: calls[position].steps.append(.halfClose)
        case .headers(let metadata): calls[position].headers = metadata
        case .response(let bytes):
            calls[position].steps.append(.response)
            calls[position].responses.append(bytes)
        case .end(let error, let trailers, let byClient):
            calls[position].end = (error, trailers, byClient)
        }
    }
}
