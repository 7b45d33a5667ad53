/// Tells people from programs before any work is done. Fails closed.
public protocol CaptchaVerifier: Sendable {
    /// - Throws: `DomainError` CAPTCHA_FAILED.
    func verify(_ token: String) async throws
}

/// No captcha is configured (`CAPTCHA_PROVIDER=none`): everybody passes.
public struct NoCaptcha: CaptchaVerifier {
    public init() {}
    public func verify(_ token: String) async throws {}
}
