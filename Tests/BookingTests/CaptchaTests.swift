import Domain
import Environment
import HTTP1
import HTTPClient
import Postgres
import Protobuf
import RPC
import Schema
import Testing

@testable import Booking

@Suite("Captcha", .timeLimit(.minutes(3))) struct CaptchaTests {
    /// What one verification comes to, with the forms that the provider saw.
    private func verify(
        _ token: String = "a token", timeout: Duration = .seconds(30),
        _ script: @escaping FakeSiteVerify.Script
    ) async throws -> (error: DomainError?, forms: [String]) {
        let provider = try await FakeSiteVerify.start(script)
        let client = HTTPClient(loop: Fixture.loop)
        let captcha = SiteVerifyCaptcha(
            client: client, url: provider.url, secret: "s3cret&+", timeout: timeout)
        var refusal: DomainError?
        do {
            try await captcha.verify(token)
        } catch let error as DomainError {
            refusal = error
        }
        await client.close()
        await provider.close()
        return (refusal, provider.forms)
    }

    @Test("X-12: the provider is asked once, with our secret; who it believes passes")
    func passes() async throws {
        let (error, forms) = try await verify("tö ken=1") { _ in
            FakeSiteVerify.json(["success": .bool(true), "hostname": .string("school.example")])
        }
        #expect(error == nil)
        #expect(forms == ["secret=s3cret%26%2B&response=t%C3%B6%20ken%3D1"])
    }

    @Test(
        "X-12: a token that is wrong, old or used is the caller's fault",
        arguments: [
            [], ["invalid-input-response"], ["timeout-or-duplicate"],
            ["already-seen-response", "expired-input-response"],
        ])
    func refused(_ codes: [String]) async throws {
        let (error, forms) = try await verify { _ in
            FakeSiteVerify.json([
                "success": .bool(false), "error-codes": .array(codes.map { .string($0) }),
            ])
        }
        #expect(error?.code == .captchaFailed && error?.blame == .caller)
        #expect(error?.retryAfter == nil)
        #expect(forms.count == 1, "a token is good once: nothing is asked twice")
    }

    @Test(
        "X-12: without a clear answer nobody passes, and it is our fault",
        arguments: [
            "invalid-input-secret", "sitekey-secret-mismatch", "bad-request", "internal-error",
            "new-code", "500", "no json", "no success", "a word for success", "silence",
        ])
    func closed(_ fault: String) async throws {
        // Long enough for the request to arrive.
        let timeout: Duration = fault == "silence" ? .seconds(4) : .seconds(30)
        let (error, forms) = try await verify(timeout: timeout) { _ in
            switch fault {
            case "500": FakeSiteVerify.json(["success": .bool(true)], status: .badGateway)
            case "no json":
                HTTPResponse(status: .ok, contentType: "text/html", body: Array("<html>".utf8))
            case "no success": FakeSiteVerify.json(["hostname": .string("x")])
            case "a word for success": FakeSiteVerify.json(["success": .string("true")])
            case "silence": nil
            default:
                FakeSiteVerify.json([
                    "success": .bool(false), "error-codes": .array([.string(fault)]),
                ])
            }
        }
        #expect(error?.code == .captchaFailed && error?.blame == .us)
        #expect(error?.retryAfter != nil)
        #expect(error?.message.contains("s3cret") == false)
        #expect(error?.cause?.contains("s3cret") == false)
        #expect(forms.count == 1)
    }

    @Test("X-12: nobody there is CAPTCHA_FAILED too")
    func unreachable() async throws {
        let provider = try await FakeSiteVerify.start { _ in nil }
        let url = provider.url
        await provider.close()
        let captcha = SiteVerifyCaptcha(
            client: HTTPClient(loop: Fixture.loop), url: url, secret: "s")
        let error = await refusal { try await captcha.verify("token") }
        #expect(error.code == .captchaFailed && error.blame == .us)
    }

    @Test("X-12: no token and an endless one are refused without asking", arguments: [0, 8193])
    func bounds(_ length: Int) async throws {
        let (error, forms) = try await verify(String(repeating: "x", count: length)) { _ in
            FakeSiteVerify.json(["success": .bool(true)])
        }
        #expect(error?.code == .captchaFailed)
        #expect(error?.violations.map(\.field) == ["captcha_token"])
        #expect(forms.isEmpty)
    }
}

extension ServerTests {
    @Suite("Captcha before the work", .serialized, .timeLimit(.minutes(3))) struct CaptchaGateTests
    {
        @Test("X-12: register-course and uploads ask; a failed captcha leaves nothing and no key")
        func gate() async throws {
            let provider = try await FakeSiteVerify.start { form in
                FakeSiteVerify.json(["success": .bool(form.hasSuffix("&response=good"))])
            }
            let client = HTTPClient(loop: Fixture.loop)
            let captcha = SiteVerifyCaptcha(client: client, url: provider.url, secret: "s")
            let fixture = try await Fixture("captcha_gate", captcha: captcha)
            var request = form("ani@example.com", fixture.piano)
            request.captchaToken = "bad"
            #expect(
                await refusal { try await fixture.register(request) }.code == .captchaFailed)
            #expect(try await fixture.number("select count(*) from booking") == 0)
            #expect(try await fixture.number("select count(*) from idempotency_key") == 0)
            request.captchaToken = "good"
            try await fixture.register(request)
            let asked = provider.forms.count
            // A retry comes with a token that is used up: its key speaks for it.
            request.captchaToken = "bad"
            #expect(
                await refusal { try await fixture.register(request) }.code == .duplicateRequest)
            #expect(provider.forms.count == asked)
            await client.close()
            await provider.close()
            await fixture.pool.close()
        }
    }
}
