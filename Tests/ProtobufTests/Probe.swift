import Foundation
import Protobuf

/// The schema that most tests use, compiled by the real protoc.
enum Probe {
    static let source = """
        syntax = "proto3";
        package probe;
        import "google/protobuf/any.proto";
        import "google/protobuf/duration.proto";
        import "google/protobuf/empty.proto";
        import "google/protobuf/field_mask.proto";
        import "google/protobuf/struct.proto";
        import "google/protobuf/timestamp.proto";
        import "google/protobuf/wrappers.proto";

        // How a booking stands.
        enum Status { STATUS_UNKNOWN = 0; STATUS_PENDING = 1; STATUS_DONE = 5; STATUS_LOST = -1; }

        // Everything the codec can meet.
        message Sample {
          int32 a_int32 = 1;
          int64 a_int64 = 2;
          uint32 a_uint32 = 3;
          uint64 a_uint64 = 4;
          sint32 a_sint32 = 5;
          sint64 a_sint64 = 6;
          fixed32 a_fixed32 = 7;
          fixed64 a_fixed64 = 8;
          sfixed32 a_sfixed32 = 9;
          sfixed64 a_sfixed64 = 10;
          float a_float = 11;
          double a_double = 12;
          bool a_bool = 13;
          // The name of the thing.
          string a_string = 14;
          bytes a_bytes = 15;
          Status status = 16;
          Sample child = 17;
          optional int32 maybe_int = 18;
          optional string maybe_string = 19;
          optional bool maybe_bool = 20;
          optional double maybe_double = 21;
          oneof choice {
            int32 choice_int = 22;
            string choice_string = 23;
            Sample choice_child = 24;
          }
          repeated int32 ints = 25;
          repeated int64 plain_ints = 26 [packed = false];
          repeated sint32 zigzags = 27;
          repeated double doubles = 28;
          repeated float floats = 29;
          repeated fixed32 fixeds = 30;
          repeated bool bools = 31;
          repeated string strings = 32;
          repeated bytes blobs = 33;
          repeated Status statuses = 34;
          repeated Sample children = 35;
          map<string, int32> counts = 36;
          map<int32, Sample> by_id = 37;
          map<bool, double> flags = 38;
          string far = 1000;
          string farthest = 536870911;
        }

        message WellKnown {
          google.protobuf.Timestamp at = 1;
          google.protobuf.Duration lasts = 2;
          google.protobuf.FieldMask mask = 3;
          google.protobuf.Struct object = 4;
          google.protobuf.Value value = 5;
          google.protobuf.ListValue list = 6;
          google.protobuf.Any any = 7;
          google.protobuf.Empty empty = 8;
          google.protobuf.Int64Value wide = 9;
          google.protobuf.StringValue text = 10;
          google.protobuf.BoolValue flag = 11;
          google.protobuf.DoubleValue real = 12;
          google.protobuf.BytesValue blob = 13;
          google.protobuf.NullValue nothing = 14;
          repeated google.protobuf.Value values = 15;
          repeated google.protobuf.Timestamp times = 16;
          map<string, google.protobuf.Value> named = 17;
        }

        service Prober {
          option deprecated = true;
          rpc Get(Sample) returns (WellKnown) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc Talk(stream Sample) returns (stream Sample);
        }
        """

    static let folder: URL = {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("janji-protobuf-\(getpid())")
        try! FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try! Data(source.utf8).write(to: folder.appendingPathComponent("probe.proto"))
        return folder
    }()

    static let descriptorSet: [UInt8] = {
        let output = folder.appendingPathComponent("probe.bin").path
        let (status, _, complaint) = protoc(
            ["--include_imports", "--include_source_info", "--descriptor_set_out=\(output)"])
        precondition(status == 0, complaint)
        return [UInt8](FileManager.default.contents(atPath: output)!)
    }()

    static let pool = try! DescriptorPool(descriptorSet: descriptorSet)
    static let sample = pool.message("probe.Sample")!
    static let wellKnown = pool.message("probe.WellKnown")!

    /// Runs the real protoc over probe.proto.
    static func protoc(
        _ arguments: [String], input: [UInt8] = []
    ) -> (status: Int32, output: [UInt8], complaint: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/protoc")
        process.arguments = ["-I", folder.path, "-I", "/usr/include"] + arguments + ["probe.proto"]
        let file = folder.appendingPathComponent(UUID().uuidString)
        try! Data(input).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let (output, errors) = (Pipe(), Pipe())
        process.standardInput = try! FileHandle(forReadingFrom: file)
        process.standardOutput = output
        process.standardError = errors
        try! process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let complaint = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (
            process.terminationStatus, [UInt8](text), String(decoding: complaint, as: UTF8.self)
        )
    }

    static func encode(text: String) -> [UInt8]? {
        let result = protoc(
            ["--encode=probe.Sample", "--deterministic_output"], input: Array(text.utf8))
        return result.status == 0 ? result.output : nil
    }

    static func decode(_ bytes: [UInt8]) -> String? {
        let result = protoc(["--decode=probe.Sample"], input: bytes)
        return result.status == 0 ? String(decoding: result.output, as: UTF8.self) : nil
    }
}

/// Reproducible randomness: SplitMix64.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// The error that a closure throws, nil when it throws none.
func failure(_ body: () throws(ProtobufError) -> Void) -> ProtobufError? {
    do throws(ProtobufError) {
        try body()
        return nil
    } catch {
        return error
    }
}

func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
