import Testing

@testable import Generator

@Suite struct NamingTests {
    @Test(
        "packages become namespaces",
        arguments: [
            ("janji.booking.v1", "BookingV1"), ("grpc.health.v1", "HealthV1"),
            ("grpc.reflection.v1alpha", "ReflectionV1alpha"), ("google.protobuf", "GoogleProtobuf"),
            ("google.rpc", "GoogleRpc"), ("bench", "Bench"), ("foo.v1", "FooV1"),
            ("a.b.vote", "ABVote"), ("acme.time_table.v2beta1", "TimeTableV2beta1"),
            ("", "NoPackage"),
        ])
    func namespaces(_ package: String, _ name: String) {
        #expect(SwiftIdentifier.namespace(package: package) == name)
    }

    @Test(
        "fields and RPCs become lowerCamelCase",
        arguments: [
            ("course_id", "courseId"), ("GetMe", "getMe"), ("URLFetch", "urlFetch"),
            ("HTTP_port", "httpPort"), ("NOT_SERVING", "notServing"), ("line_2", "line2"),
            ("alreadyCamel", "alreadyCamel"), ("_private_", "private"), ("_2d", "_2d"), ("x", "x"),
        ])
    func members(_ name: String, _ expected: String) {
        #expect(SwiftIdentifier.lowerCamel(name) == expected)
    }

    @Test("base64 agrees with RFC 4648, section 10")
    func base64() {
        let words = ["", "f", "fo", "foo", "foob", "fooba", "foobar"]
        let expected = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]
        #expect(words.map { Base64.encode(Array($0.utf8)) } == expected)
    }
}
