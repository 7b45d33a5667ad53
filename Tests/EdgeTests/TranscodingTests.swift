import HTTP1
import Protobuf
import Testing

@testable import Edge

/// Requests in, what the service received out; the fake echoes its request as `data`.
@Suite struct TranscodingTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let method: String
        let path: String
        var body: String?
        /// Members of `data`.
        let expected: JSONValue
        var testDescription: String { "\(method) \(path)" }
    }

    @Test(
        "Path, query and body become the request, in every shape of http.proto",
        arguments: [
            Row(method: "GET", path: "/v1/things/a%20b", expected: ["name": "a b"]),
            Row(method: "GET", path: "/v1/things/a%2Fb", expected: ["name": "a/b"]),
            Row(method: "GET", path: "/v1/files/a/b%2Fc", expected: ["name": "a/b%2Fc"]),
            Row(
                method: "GET", path: "/v1/shelves/1/books/2",
                expected: ["inner": ["id": "shelves/1/books/2"]]),
            Row(
                method: "GET", path: "/v1/things/x?count=7&flag=true&tags=a&tags=b&big=-9",
                expected: [
                    "name": "x", "count": 7, "flag": true, "tags": ["a", "b"], "big": "-9",
                ]),
            Row(
                method: "GET", path: "/v1/things/x?inner.id=q+1&numbers=1&numbers=2",
                expected: ["inner": ["id": "q 1"], "numbers": [1, 2]]),
            Row(
                method: "GET", path: "/v1/things/x?at=2025-12-02T10:00:00Z&color=dark_blue",
                expected: ["at": "2025-12-02T10:00:00Z", "color": "dark_blue"]),
            Row(
                method: "GET", path: "/v1/things/x?color=COLOR_RED&idempotencyKey=k",
                expected: ["color": "red", "idempotency_key": "k"]),
            Row(
                method: "POST", path: "/v1/things/n:archive", body: #"{"count":1}"#,
                expected: ["name": "n", "count": 1]),
            Row(
                method: "PUT", path: "/v1/things/n?count=3", body: #"{"id":"i"}"#,
                expected: ["name": "n", "count": 3, "inner": ["id": "i"]]),
            Row(
                method: "POST", path: "/v1/things", body: "",
                expected: [
                    "name": "", "count": 0, "inner": nil, "tags": [], "color": "unspecified",
                ]
            ),
            Row(
                method: "POST", path: "/v1/things",
                body: #"{"name":"n","color":"red","inner":{"id":"i"},"tags":["t"]}"#,
                expected: ["name": "n", "color": "red", "inner": ["id": "i"], "tags": ["t"]]),
        ])
    func good(_ row: Row) async throws {
        try await EdgeFixture.with { edge in
            let answer = try edge.ask(row.method, row.path, body: row.body)
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.json["success"] == true)
            guard case .object(let members) = row.expected else { return }
            for (name, value) in members {
                #expect(answer.json["data"]?[name] == value, "\(name)")
            }
        }
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        let name: String
        let method: String
        let path: String
        var body: String?
        var fields: [(String, String)] = []
        var status = 400
        var code = "MALFORMED_REQUEST"
        var field: String?
        var offset: Int64?
        var testDescription: String { name }
    }

    @Test(
        "Bad input is refused with its place",
        arguments: [
            Bad(
                name: "malformed JSON", method: "POST", path: "/v1/things", body: #"{"name":}"#,
                offset: 8),
            Bad(
                name: "trailing comma", method: "POST", path: "/v1/things", body: #"{"count":1,}"#,
                offset: 11),
            Bad(
                name: "trailing garbage", method: "POST", path: "/v1/things", body: "{} x",
                offset: 3),
            Bad(
                name: "unknown field", method: "POST", path: "/v1/things",
                body: #"{"inner":{"nope":1}}"#, field: "inner.nope"),
            Bad(
                name: "duplicate key", method: "POST", path: "/v1/things",
                body: #"{"count":1,"count":2}"#),
            Bad(
                name: "both spellings", method: "POST", path: "/v1/things",
                body: #"{"idempotency_key":"a","idempotencyKey":"b"}"#),
            Bad(
                name: "wrong type", method: "POST", path: "/v1/things", body: #"{"count":"x"}"#,
                field: "count"),
            Bad(
                name: "wrong type in a list", method: "POST", path: "/v1/things",
                body: #"{"numbers":[1,true]}"#, field: "numbers[1]"),
            Bad(
                name: "unknown enum word", method: "POST", path: "/v1/things",
                body: #"{"color":"green"}"#, field: "color"),
            Bad(name: "an array", method: "POST", path: "/v1/things", body: "[]"),
            Bad(name: "null", method: "POST", path: "/v1/things", body: "null"),
            Bad(
                name: "too deep", method: "POST", path: "/v1/things",
                body: String(repeating: "[", count: 100)),
            Bad(
                name: "field of the body message", method: "PUT", path: "/v1/things/n",
                body: #"{"nope":1}"#, field: "inner.nope"),
            Bad(
                name: "unknown query field", method: "GET", path: "/v1/things/x?inner.nope=1",
                field: "inner.nope"),
            Bad(
                name: "query beside a whole body", method: "POST", path: "/v1/things?count=1",
                body: "{}", field: "count"),
            Bad(
                name: "a query field twice", method: "GET", path: "/v1/things/x?count=1&count=2",
                field: "count"),
            Bad(
                name: "a bound field in the query", method: "GET", path: "/v1/things/x?name=y",
                field: "name"),
            Bad(
                name: "wrong type in the query", method: "GET", path: "/v1/things/x?flag=yes",
                field: "flag"),
            Bad(
                name: "no injection through the query", method: "GET",
                path: "/v1/things/x?count=1%22,%22name%22:%22z", field: "count"),
            Bad(
                name: "body and path disagree", method: "POST", path: "/v1/things/n:archive",
                body: #"{"name":"m"}"#, field: "name"),
            Bad(name: "a body where none belongs", method: "GET", path: "/v1/things/x", body: "{}"),
            Bad(name: "bad escape", method: "GET", path: "/v1/things/%ff"),
            Bad(name: "dot segments", method: "GET", path: "/v1/things/%2e%2e"),
            Bad(
                name: "oversize body", method: "POST", path: "/v1/things",
                body: String(repeating: " ", count: 70_000), status: 413, code: "PAYLOAD_TOO_LARGE"),
            Bad(
                name: "not JSON", method: "POST", path: "/v1/things", body: "name=x",
                fields: [("Content-Type", "application/x-www-form-urlencoded")], status: 415,
                code: "UNSUPPORTED_MEDIA_TYPE"),
            Bad(
                name: "unknown route", method: "GET", path: "/v2/things", status: 404,
                code: "ROUTE_NOT_FOUND"),
            Bad(
                name: "services' own method", method: "POST", path: "/v1/hidden", body: "{}",
                status: 404, code: "ROUTE_NOT_FOUND"),
            Bad(
                name: "unknown method", method: "DELETE", path: "/v1/things/x", status: 405,
                code: "METHOD_NOT_ALLOWED"),
        ])
    func bad(_ row: Bad) async throws {
        try await EdgeFixture.with { edge in
            let answer = try edge.ask(row.method, row.path, row.fields, body: row.body)
            #expect(answer.status == row.status, "\(answer.text)")
            #expect(answer.code == row.code)
            #expect(answer.json["success"] == false)
            #expect(answer.json["meta"]?["request_id"]?.string != nil)
            #expect(edge.services.seen.isEmpty)
            let place = answer.json["error"]?["details"]?.array?.first
            if let field = row.field {
                #expect(place?["field"]?.string == field, "\(answer.text)")
                let form = answer.json["error"]?["details"]?.array?.last
                #expect(form?["@type"]?.string == "type.googleapis.com/google.rpc.BadRequest")
                #expect(form?["field_violations"]?.array?.first?["field"]?.string == field)
            }
            if let offset = row.offset { #expect(place?["offset"]?.integer == offset) }
        }
    }

    @Test("body_limit: a route may take more than the others, up to its own limit")
    func bodyLimit() async throws {
        try await EdgeFixture.with { edge in
            let rows = [
                ("/v1/raw/n", 100_000, 200), ("/v1/raw/n", 100_001, 413),
                ("/v1/things", 100_000, 413),
            ]
            for (path, count, status) in rows {
                let answer = try edge.ask(
                    "POST", path, [("Content-Type", "application/octet-stream")],
                    body: String(repeating: "x", count: count))
                #expect(answer.status == status, "\(count) bytes to \(path)")
            }
        }
    }

    @Test("large bodies at once: one more than allowed is told to come back, small ones pass")
    func largeBodies() async throws {
        try await EdgeFixture.with({ $0.maxLargeBodies = 0 }) { edge in
            let large = try edge.ask(
                "POST", "/v1/raw/n", [("Content-Type", "application/octet-stream")],
                body: String(repeating: "x", count: 90_000))
            #expect(large.status == 503)
            let small = try edge.ask("POST", "/v1/raw/n", [], body: "small")
            #expect(small.status == 200)
        }
    }

    @Test("HttpBody: bytes of any type arrive and leave as they are; a header fills its field")
    func rawBodies() async throws {
        try await EdgeFixture.with { edge in
            let text = "not { json\r\n\u{1}"
            let up = try edge.ask(
                "POST", "/v1/raw/n", [("Content-Type", "text/odd"), ("X-Signature", "abc")],
                body: text)
            let raw = up.json["data"]?["raw"]
            #expect(raw?["content_type"] == "text/odd", "\(up.text)")
            #expect(raw?["data"] == "bm90IHsganNvbg0KAQ==")
            #expect(up.json["data"]?["signature"] == "abc")
            // Nobody but the header fills it.
            let forged = try edge.ask(
                "POST", "/v1/things", body: #"{"name":"n","signature":"forged"}"#)
            #expect(forged.json["data"]?["signature"] == "")
            // The fake echoes the request's fields 1 and 2: content type and bytes.
            let down = try edge.ask("GET", "/v1/raw?name=text/calendar&tags=BEGIN")
            #expect(down.status == 200)
            #expect(down.headers.first("content-type") == "text/calendar")
            #expect(down.headers.first("x-request-id") != nil)
            #expect(down.text == "BEGIN")
        }
    }

    @Test(
        "The registration of the document travels: 201, envelope, explicit null, lower-case status")
    func registration() async throws {
        try await EdgeFixture.with { edge in
            let body = """
                {"full_name":"Sari","email":"sari@example.com","course_id":"c","consent":true,\
                "preferred_time_range":{"start":"10:00","end":"12:00"},"preferred_days":["monday"],\
                "first_choice_slot_id":"s-1"}
                """
            let answer = try edge.ask(
                "POST", "/booking/register-course",
                [("X-Request-Id", "given-id-1"), ("Idempotency-Key", "key-1")], body: body)
            #expect(answer.status == 201)
            let booking = answer.json["data"]?["booking"]
            #expect(booking?["status"] == "pending")
            #expect(booking?["first_choice_slot_id"] == "s-1")
            #expect(booking?["confirmed_slot_id"] == .null)
            #expect(booking?["needs_slot"] == false)
            #expect(answer.json["meta"]?["request_id"] == "given-id-1")
            #expect(answer.json["meta"]?["timestamp"]?.string?.hasSuffix("Z") == true)
            #expect(answer.headers.first("x-request-id") == "given-id-1")
            let seen = try #require(edge.services.seen.first)
            #expect(seen.requestID == "given-id-1")
            #expect(seen.principal == "anonymous")
            #expect(seen.hasDeadline)
            let request = try DynamicMessage(
                decoding: seen.bytes,
                schema: #require(
                    TestContract.pool.message("janji.booking.v1.RegisterCourseRequest"))
            )
            #expect(request["idempotency_key"]?.stringValue == "key-1")
            #expect(request["consent"]?.boolValue == true)
        }
    }

    @Test("X-09: an answer that repeats an earlier one says so in a header, and only such a one")
    func replayed() async throws {
        try await EdgeFixture.with { edge in
            func ask(_ name: String, _ key: String) throws -> Plug.Answer {
                try edge.ask(
                    "POST", "/v1/things",
                    body: #"{"name":"\#(name)","idempotency_key":"\#(key)"}"#)
            }
            let again = try ask("replayed", "k")
            #expect(again.status == 200)
            #expect(again.headers.all("idempotency-replayed") == ["true"])
            #expect(again.json["data"]?["name"] == "replayed")
            #expect(try ask("new", "k").headers.first("idempotency-replayed") == nil)
            #expect(try ask("replayed", "").headers.first("idempotency-replayed") == nil)
        }
    }

    @Test("The body's idempotency key wins over the header")
    func idempotencyKey() async throws {
        try await EdgeFixture.with { edge in
            let answer = try edge.ask(
                "POST", "/v1/things", [("Idempotency-Key", "header")],
                body: #"{"idempotency_key":"body"}"#)
            #expect(answer.json["data"]?["idempotency_key"] == "body")
        }
    }
}
