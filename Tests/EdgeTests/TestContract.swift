import Protobuf
import Schema

/// A service made at run time, so that routes of every shape are tested without a .proto file.
enum TestContract {
    static let service = "test.v1.Things"

    static let pool: DescriptorPool = {
        do {
            let files = [
                GoogleProtobuf.timestampFile.file.serialized,
                GoogleProtobuf.anyFile.file.serialized,
                GoogleApi.httpbodyFile.file.serialized, file.encoded(),
            ]
            let made = try DescriptorPool(files: files)
            return DescriptorPool(linked: made.files + SchemaFiles.all.map(\.file))
        } catch {
            fatalError("the test contract does not link: \(error)")
        }
    }()

    private static var file: GoogleProtobuf.FileDescriptorProto {
        var file = GoogleProtobuf.FileDescriptorProto()
        file.name = "test/v1/things.proto"
        file.package = "test.v1"
        file.syntax = "proto3"
        file.dependency = ["google/protobuf/timestamp.proto", "google/api/httpbody.proto"]
        file.messageType = [inner, thing]
        file.enumType = [color]
        var service = GoogleProtobuf.ServiceDescriptorProto()
        service.name = "Things"
        service.method = [
            method("Get", rule(.get("/v1/things/{name}"))),
            method("Special", rule(.get("/v1/things/special"))),
            method("Shelf", rule(.get("/v1/{inner.id=shelves/*/books/*}"))),
            method("Files", rule(.get("/v1/files/{name=**}"))),
            method("Archive", rule(.post("/v1/things/{name}:archive"), body: "*")),
            method("PutInner", rule(.put("/v1/things/{name}"), body: "inner")),
            method(
                "Create",
                rule(
                    .post("/v1/things"), body: "*",
                    more: [rule(.post("/v1/alias/things"), body: "*")])),
            method("List", rule(.get("/v1/things"))),
            method("Admin", access: 2, rule(.post("/v1/admin/{name}"), body: "*")),
            method("Hidden", access: 3, rule(.post("/v1/hidden"), body: "*")),
            method("Unsaid", access: 0, rule(.get("/v1/unsaid"))),
            method("Upload", bodyLimit: 100_000, rule(.post("/v1/raw/{name}"), body: "raw")),
            raw(method("Download", rule(.get("/v1/raw")))),
            streaming(method("Count", rule(.get("/v1/count/{count}")))),
        ]
        file.service = [service]
        return file
    }

    private static var inner: GoogleProtobuf.DescriptorProto {
        var message = GoogleProtobuf.DescriptorProto()
        message.name = "Inner"
        message.field = [field("id", 1, 9)]
        return message
    }

    private static var thing: GoogleProtobuf.DescriptorProto {
        var message = GoogleProtobuf.DescriptorProto()
        message.name = "Thing"
        message.field = [
            field("name", 1, 9), field("tags", 2, 9, label: 3), field("count", 3, 5),
            field("flag", 4, 8), field("inner", 5, 11, type: ".test.v1.Inner"),
            field("at", 6, 11, type: ".google.protobuf.Timestamp"),
            field("idempotency_key", 7, 9), field("color", 8, 14, type: ".test.v1.Color"),
            field("numbers", 9, 5, label: 3), field("big", 10, 3),
            field("raw", 11, 11, type: ".google.api.HttpBody"), signature,
        ]
        return message
    }

    /// Filled by a header.
    private static var signature: GoogleProtobuf.FieldDescriptorProto {
        var field = field("signature", 12, 9)
        var options = WireWriter()
        options.field(50012, bytes: Array("x-signature".utf8))
        field.options = GoogleProtobuf.FieldOptions()
        field.options?.unknownFields = UnknownFields(bytes: options.bytes)
        return field
    }

    private static var color: GoogleProtobuf.EnumDescriptorProto {
        var item = GoogleProtobuf.EnumDescriptorProto()
        item.name = "Color"
        var options = WireWriter()
        options.field(50031, varint: 1)
        item.options = GoogleProtobuf.EnumOptions()
        item.options?.unknownFields = UnknownFields(bytes: options.bytes)
        item.value = ["COLOR_UNSPECIFIED", "COLOR_RED", "COLOR_DARK_BLUE"].enumerated().map {
            var value = GoogleProtobuf.EnumValueDescriptorProto()
            value.name = $1
            value.number = Int32($0)
            return value
        }
        return item
    }

    private static func field(
        _ name: String, _ number: Int32, _ kind: Int32, label: Int32 = 1, type: String? = nil
    ) -> GoogleProtobuf.FieldDescriptorProto {
        var field = GoogleProtobuf.FieldDescriptorProto()
        field.name = name
        field.number = number
        field.type = .init(rawValue: kind)
        field.label = .init(rawValue: label)
        field.typeName = type
        return field
    }

    private static func method(
        _ name: String, access: UInt64 = 1, bodyLimit: UInt64 = 0, _ rule: GoogleApi.HttpRule
    ) -> GoogleProtobuf.MethodDescriptorProto {
        var method = GoogleProtobuf.MethodDescriptorProto()
        method.name = name
        method.inputType = ".test.v1.Thing"
        method.outputType = ".test.v1.Thing"
        var options = WireWriter()
        if access != 0 { options.field(50001, varint: access) }
        if bodyLimit != 0 { options.field(50004, varint: bodyLimit) }
        options.field(72_295_728, bytes: rule.encoded())
        method.options = GoogleProtobuf.MethodOptions()
        method.options?.unknownFields = UnknownFields(bytes: options.bytes)
        return method
    }

    private static func raw(
        _ method: GoogleProtobuf.MethodDescriptorProto
    ) -> GoogleProtobuf.MethodDescriptorProto {
        var method = method
        method.outputType = ".google.api.HttpBody"
        return method
    }

    private static func streaming(
        _ method: GoogleProtobuf.MethodDescriptorProto
    ) -> GoogleProtobuf.MethodDescriptorProto {
        var method = method
        method.serverStreaming = true
        return method
    }

    private static func rule(
        _ pattern: GoogleApi.HttpRule.OneOfPattern, body: String = "",
        more: [GoogleApi.HttpRule] = []
    ) -> GoogleApi.HttpRule {
        var rule = GoogleApi.HttpRule()
        rule.pattern = pattern
        rule.body = body
        rule.additionalBindings = more
        return rule
    }
}
