import Domain
import Environment
import HTTP1
public import HTTPClient
import Protobuf
import RPC
import Schema

/// Asks a captcha's provider whether a token is good, by the protocol that hCaptcha, Turnstile and
/// reCAPTCHA share: a form with `secret` and `response`, answered by JSON with `success` and
/// `error-codes`. A token is good once, so nothing is asked twice; without an answer nobody passes
/// (X-12).
public struct SiteVerifyCaptcha: CaptchaVerifier {
    /// The longest token that is asked about, bytes.
    static let tokenLimit = 8192

    private let client: HTTPClient
    private let url: String
    private let secret: String
    private let timeout: Duration

    /// - Parameters:
    ///   - url: the provider's `siteverify`.
    ///   - secret: ours, of the provider; never told to anybody else.
    ///   - timeout: for the whole exchange. 4 s: a registration has 10 s.
    public init(
        client: HTTPClient, url: String, secret: String, timeout: Duration = .seconds(4)
    ) {
        self.client = client
        self.url = url
        self.secret = secret
        self.timeout = timeout
    }

    public func verify(_ token: String) async throws {
        guard !token.isEmpty, token.utf8.count <= Self.tokenLimit else {
            throw DomainError(
                .captchaFailed, "the captcha is not solved",
                violations: [
                    DomainError.Violation(
                        "captcha_token",
                        token.isEmpty ? "is required" : "is longer than \(Self.tokenLimit) bytes")
                ])
        }
        let answer = try await ask(token)
        guard answer["success"] == .bool(true) else { throw Self.refusal(answer) }
    }

    private func ask(_ token: String) async throws -> JSONValue {
        var request = HTTPClientRequest(.post, url, deadline: .after(timeout))
        request.headers.add(literal: "content-type", HTTPForm.contentType)
        request.headers.add(literal: "accept", "application/json")
        request.body = HTTPForm.encoded([("secret", secret), ("response", token)])
        let response: HTTPClientResponse
        do {
            response = try await client.send(request)
        } catch let error as HTTPClientError {
            throw Self.unchecked("\(error)")
        }
        guard response.status.rawValue < 500, let json = try? JSONValue.parse(response.body),
            case .bool? = json["success"]
        else { throw Self.unchecked("the provider answers \(response.status.rawValue)") }
        return json
    }

    /// What the provider has against the token, or against us.
    private static func refusal(_ answer: JSONValue) -> DomainError {
        var codes: [String] = []
        if case .array(let list)? = answer["error-codes"] { codes = list.compactMap(\.string) }
        guard codes.allSatisfy(theirs.contains) else {
            return unchecked("the provider says \(codes.joined(separator: ", "))")
        }
        return DomainError(
            .captchaFailed, "the captcha is not solved, or its answer is too old or used already",
            cause: codes.joined(separator: ", "))
    }

    /// Errors of the caller's token; every other one is about our key or the provider itself.
    private static let theirs: Set<String> = [
        "missing-input-response", "invalid-input-response", "timeout-or-duplicate",
        "expired-input-response", "already-seen-response", "invalid-or-already-seen-response",
    ]

    private static func unchecked(_ cause: String) -> DomainError {
        DomainError(
            .captchaFailed, "the captcha could not be checked; try again",
            retryAfter: .seconds(5), blame: .us, cause: cause)
    }
}
