import Schema
import Testing

@testable import Domain

struct FieldRulesTests {
    @Test(
        "A-03: addresses that people have",
        arguments: [
            "ani@example.com", "a@b.co", "first.last+piano@sub.example.co.id", "o'neil@x-y.org",
            "ani_1@example.museum", "1@1.id", "é@exämple.com",
            String(repeating: "a", count: 64) + "@example.com",
        ])
    func goodEmail(_ text: String) {
        #expect(FieldRules.isEmail(text))
    }

    @Test(
        "A-03: what is no address",
        arguments: [
            "", "ani", "@", "ani@", "@example.com", "ani@example", "ani@@example.com",
            "a ni@example.com", "ani@exa mple.com", ".ani@example.com", "ani.@example.com",
            "a..ni@example.com", "ani@.example.com", "ani@example..com", "ani@example.com.",
            "ani@-example.com", "ani@example-.com", "ani@example.c", "ani@exam_ple.com",
            "ani@example.com\n", "ani@example.com\r\nBcc: x@y.id", "<ani@example.com>",
            "ani@[127.0.0.1]", "\"ani\"@example.com", "ani@example.com\0", "a,b@example.com",
            String(repeating: "a", count: 65) + "@example.com",
            "ani@" + String(repeating: "a", count: 64) + ".com",
            "ani@" + String(repeating: "abcdefg.", count: 40) + "com",
        ])
    func badEmail(_ text: String) {
        #expect(!FieldRules.isEmail(text))
    }

    @Test(
        "texts: required, bounded, without control characters",
        arguments: [
            ("Ani", true, true), ("", true, false), (" \t", true, false), ("", false, true),
            ("12345", true, true), ("123456", true, false), ("a\nb", true, true),
            ("a\0b", true, false), ("a\u{1B}[", true, false), ("éèêëœ", true, true),
        ])
    func text(_ value: String, required: Bool, ok: Bool) {
        var rules = FieldRules()
        rules.text(value, "field", limit: 5, required: required)
        #expect(rules.violations.isEmpty == ok)
        #expect(rules.violations.allSatisfy { $0.field == "field" })
    }

    @Test(
        "dates have the form YYYY-MM-DD and exist (A-02)",
        arguments: [
            ("2015-02-28", true), ("2016-02-29", true), ("2015-02-29", false), ("2015-2-8", false),
            ("28-02-2015", false), ("2015-13-01", false), ("2015-00-10", false), ("", false),
            ("2015-02-28T00:00:00Z", false), ("tomorrow", false),
        ])
    func dates(_ value: String, ok: Bool) {
        var rules = FieldRules()
        #expect((rules.date(value, "birth_date") != nil) == ok)
        #expect(rules.violations.isEmpty == ok)
    }

    @Test("UUIDs: strict, and an absent optional one is fine (A-06)")
    func uuids() throws {
        var rules = FieldRules()
        #expect(rules.uuid("0194f3a0-0000-7000-8000-0123456789ab", "a") != nil)
        #expect(rules.optionalUUID(nil, "b") == nil)
        #expect(rules.violations.isEmpty)
        #expect(rules.uuid("", "c") == nil)
        #expect(rules.uuid("PIANO-101", "d") == nil)
        #expect(rules.optionalUUID("0194f3a0000070008000", "e") == nil)
        #expect(rules.violations.map(\.field) == ["c", "d", "e"])
        #expect(rules.violations[0].description == "is required")
        #expect(rules.violations[1].description == "is not a UUID")
    }

    @Test("VALIDATION_FAILED names every field and never a value")
    func allAtOnce() throws {
        var rules = FieldRules()
        try rules.check()
        rules.email("canary@", "email")
        _ = rules.uuid("canary", "course_id")
        let error = #expect(throws: DomainError.self) { try rules.check() }
        #expect(error?.code == .validationFailed)
        #expect(error?.violations.map(\.field) == ["email", "course_id"])
        #expect(error.map { "\($0.rpcError)".contains("canary") } == false)
    }
}
