import Protobuf
import Testing

@Suite struct SchemaTests {
    @Test func declarationsAreRead() throws {
        let sample = Probe.sample
        #expect(sample.fields.count == 40)
        #expect(sample.oneofs.map(\.name) == ["choice"])
        #expect(sample.oneofs[0].fields.map(\.number) == [22, 23, 24])
        let status = try #require(sample.field(number: 16))
        #expect(status.enumType?.value(number: -1)?.name == "STATUS_LOST")
        #expect(sample.field(named: "maybeInt")?.isProto3Optional == true)
        #expect(sample.field(named: "maybe_int")?.oneof == nil)
        #expect(sample.field(named: "maybe_int")?.cardinality == .optional)
        #expect(sample.field(named: "a_int32")?.cardinality == .implicit)
        #expect(sample.field(named: "ints")?.isPacked == true)
        #expect(sample.field(named: "plain_ints")?.isPacked == false)
        #expect(sample.field(named: "by_id")?.isMap == true)
        #expect(sample.field(named: "child")?.messageType === sample)
    }

    @Test func servicesAreRead() throws {
        let service = try #require(Probe.pool.service("probe.Prober"))
        #expect(service.options.isDeprecated)
        let get = try #require(service.method(named: "Get"))
        #expect(get.routePath == "/probe.Prober/Get")
        #expect(get.idempotency == .noSideEffects)
        #expect(get.output === Probe.wellKnown)
        let talk = try #require(service.method(named: "Talk"))
        #expect(talk.clientStreaming && talk.serverStreaming)
    }

    @Test func commentsAreKept() throws {
        let file = Probe.sample.file
        #expect(file.comments(Probe.sample.path)?.leading == " Everything the codec can meet.\n")
        let field = file.comments(Probe.sample.path + [2, 13])
        #expect(field?.leading == " The name of the thing.\n")
    }

    @Test(arguments: [
        ("probe.Sample", "probe.proto"), ("probe.Prober.Get", "probe.proto"),
        ("probe.Sample.a_int32", "probe.proto"), ("probe.STATUS_DONE", "probe.proto"),
        ("google.protobuf.Any", "google/protobuf/any.proto"),
    ])
    func symbolsNameTheirFile(_ symbol: String, _ file: String) {
        #expect(Probe.pool.file(containing: symbol)?.name == file)
        #expect(Probe.pool.file(containing: symbol + "x") == nil)
    }

    @Test func filesMayComeInAnyOrder() throws {
        let files = Probe.pool.files.map(\.serialized)
        let pool = try DescriptorPool(files: files.reversed())
        #expect(pool.files.last?.name == "probe.proto")
        #expect(pool.file("probe.proto")?.dependencies.count == 7)
        let error = failure { () throws(ProtobufError) in
            _ = try DescriptorPool(files: [files[files.count - 1]])
        }
        #expect(error?.code == .schema)
    }

    @Test func generatedTypesShareTheirSchemas() throws {
        let sent = try DynamicMessage(
            decoding: bytes("08 05 10 07"), schema: GoogleProtobuf.Timestamp.schema)
        let typed = try sent.typed(GoogleProtobuf.Timestamp.self)
        #expect(typed.seconds == 5 && typed.nanos == 7)
        #expect(
            try ProtoJSON.print(typed, pool: Probe.pool)
                == Array(#""1970-01-01T00:00:05.000000007Z""#.utf8))
        #expect(typed.encoded(reserving: 5) == bytes("0000000000 08 05 10 07"))
    }
}
