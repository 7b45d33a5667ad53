import HTTP1
import Protobuf
import TestKit

/// A captcha provider's `siteverify` on a real socket, which answers with one script.
struct FakeSiteVerify: Sendable {
    /// Nil: never answers.
    typealias Script = @Sendable (_ form: String) -> HTTPResponse?

    private let server: ScriptedServer

    static func start(_ script: @escaping Script) async throws -> FakeSiteVerify {
        let server = try await ScriptedServer.start(on: Fixture.loop) { seen in
            guard let response = script(Self.form(seen)) else { return [.hang] }
            return [.send(HTTPResponseEncoder(for: seen.head).encode(response, date: ""))]
        }
        return FakeSiteVerify(server: server)
    }

    static func json(_ value: JSONValue, status: HTTPStatus = .ok) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "application/json", body: value.encoded())
    }

    private static func form(_ seen: ScriptedServer.Seen) -> String {
        String(decoding: seen.body, as: UTF8.self)
    }

    var url: String { "http://127.0.0.1:\(server.port)/siteverify" }

    /// The forms that have come.
    var forms: [String] { server.seen.map(Self.form) }

    func close() async { await server.close() }
}
