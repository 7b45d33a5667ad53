import Crypto
import Environment
import HTTP1
import HTTPClient
import Protobuf

/// JSON over HTTPS with a secret key as the user name of Basic: how both providers are spoken to.
struct ProviderHTTP: Sendable {
    let client: HTTPClient
    /// Without a trailing slash.
    let base: String
    /// Name and password, already encoded.
    private let authorization: String

    init(client: HTTPClient, base: String, secret: String) {
        self.client = client
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        authorization = "Basic " + Base64.encode(Array("\(secret):".utf8))
    }

    struct Answer: Sendable {
        let status: Int
        let json: JSONValue
    }

    /// - Throws: ``PaymentProviderError`` unavailable without an answer, for 429 and from 500;
    ///   malformed for an answer that is no JSON.
    func call(
        _ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil,
        fields: [(String, String)] = []
    ) async throws -> Answer {
        var request = HTTPClientRequest(method, base + path, body: body?.encoded() ?? [])
        do {
            try request.headers.add("authorization", authorization)
            request.headers.add(literal: "accept", "application/json")
            if body != nil { request.headers.add(literal: "content-type", "application/json") }
            for (name, value) in fields { try request.headers.add(name, value) }
        } catch {
            throw PaymentProviderError(
                .malformed, "the provider's key cannot be sent in a header", blame: .us)
        }
        let response: HTTPClientResponse
        do {
            response = try await client.send(request)
        } catch let error as HTTPClientError {
            throw PaymentProviderError(
                .unavailable, "the payment provider does not answer", blame: .provider,
                cause: "\(error)")
        }
        let status = response.status.rawValue
        guard status < 500, status != 429 else {
            throw PaymentProviderError(
                .unavailable, "the payment provider answers \(status)", blame: .provider)
        }
        guard status != 401, status != 403 else {
            throw PaymentProviderError(
                .refused, "the payment provider does not know our key", blame: .us)
        }
        guard let json = try? JSONValue.parse(response.body) else {
            throw PaymentProviderError(
                .malformed, "the payment provider's answer is no JSON", blame: .provider,
                cause: "status \(status)")
        }
        return Answer(status: status, json: json)
    }
}

extension JSONValue {
    /// Text or number, as money and codes come in both.
    var plain: String? {
        switch self {
        case .string(let text), .number(let text): text
        default: nil
        }
    }
}
