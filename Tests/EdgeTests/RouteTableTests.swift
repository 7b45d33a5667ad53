import HTTP1
import Protobuf
import Schema
import Testing

@testable import Edge

@Suite struct RouteTableTests {
    @Test(
        "A template of the grammar is read",
        arguments: [
            ("/", 0, nil), ("/v1/things", 2, nil), ("/v1/{name}", 2, nil),
            ("/v1/{a.b=shelves/*/books/*}/end", 6, nil), ("/v1/{name=**}", 2, nil),
            ("/v1/**", 2, nil), ("/v1/things/{name}:archive", 3, "archive"), ("/v1/*:go", 2, "go"),
        ] as [(String, Int, String?)])
    func grammar(_ text: String, _ segments: Int, _ verb: String?) throws {
        let template = try PathTemplate(text)
        #expect(template.segments.count == segments)
        #expect(template.verb == verb)
    }

    @Test(
        "A template outside the grammar stops the start",
        arguments: [
            "", "v1", "/v1/", "/v1//x", "/v1/{}", "/v1/{a", "/v1/{a}x", "/v1/{a={b}}",
            "/v1/**/x", "/v1/{a=**}/x", "/v1/{1a}", "/v1/{a.}", "/v1/{a}/{a}", "/v1:", "/v1:a:b",
        ])
    func malformed(_ text: String) {
        #expect(throws: ProtobufError.self) { try PathTemplate(text) }
    }

    @Test(
        "Fixed segments go before variables, verbs before both, ** last",
        arguments: [
            (.get, "v1/things/x", "Get"), (.head, "v1/things/x", "Get"),
            (.get, "v1/things/special", "Special"), (.get, "v1/things", "List"),
            (.get, "v1/shelves/1/books/2", "Shelf"), (.get, "v1/files/a/b/c", "Files"),
            (.get, "v1/files", "Files"), (.post, "v1/things/x:archive", "Archive"),
            (.post, "v1/things/a:b:archive", "Archive"), (.get, "v1/things/x:other", "Get"),
            (.put, "v1/things/special", "PutInner"), (.post, "v1/alias/things", "Create"),
        ] as [(HTTPMethod, String, String)])
    func matching(_ method: HTTPMethod, _ path: String, _ expected: String) throws {
        let table = try RouteTable(TestContract.pool)
        let segments = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard case .found(let route) = table.match(method, segments) else {
            Issue.record("no route")
            return
        }
        #expect(route.method.name == expected)
    }

    @Test("Another method gives the methods that exist; anything else is not found")
    func misses() throws {
        let table = try RouteTable(TestContract.pool)
        guard case .otherMethods(let methods) = table.match(.delete, ["v1", "things", "x"]) else {
            Issue.record("DELETE must not match")
            return
        }
        #expect(methods == [.get, .head, .put])
        for path in ["v1/none", "v1/things/", "v1/things/a/b", "v1/hidden", "v1/unsaid", ""] {
            let segments = path.split(separator: "/", omittingEmptySubsequences: false)
                .map(String.init)
            guard case .none = table.match(.post, segments) else {
                Issue.record("\(path) must not match")
                continue
            }
        }
    }

    @Test(
        "X-18: the documents' paths and their aliases reach the same method",
        arguments: [
            (.post, "api/booking/register-course", "RegisterCourse"),
            (.post, "booking/register-course", "RegisterCourse"),
            (.get, "api/booking/admin/bookings/pending", "ListPending"),
            (.get, "booking/admin/bookings/pending", "ListPending"),
            (.get, "api/booking/admin/bookings/b1", "GetBooking"),
            (.post, "api/booking/b1/confirm", "Confirm"), (.post, "booking/b1/confirm", "Confirm"),
            (.post, "api/booking/admin/bookings/b1/assign-slot", "AssignSlot"),
            (.post, "booking/admin/bookings/b1/assign-slot", "AssignSlot"),
            (.get, "api/booking/availability/find-slots", "FindSlots"),
            (.get, "availability/find-slots", "FindSlots"),
            (.get, "api/availability/instructor/i1", "GetByInstructor"),
            (.get, "availability/instructor/i1", "GetByInstructor"),
            (.delete, "api/auth/session", "RevokeSession"),
        ] as [(HTTPMethod, String, String)])
    func aliases(_ method: HTTPMethod, _ path: String, _ expected: String) throws {
        let table = try RouteTable(DescriptorPool(SchemaFiles.all))
        guard
            case .found(let route) = table.match(
                method, path.split(separator: "/").map(String.init))
        else {
            Issue.record("no route")
            return
        }
        #expect(route.method.name == expected)
    }
}
