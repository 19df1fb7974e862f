import { describe, expect, test } from 'vitest';
import { AllowList, isPublic } from '../../src/worker/guard-address.ts';

describe('addresses', () => {
  test.each(['8.8.8.8', '93.184.216.34', '2606:4700::1111', '2a00:1450:4001::1'])(
    '%s is public',
    (address) => {
      expect(isPublic(address)).toBe(true);
    },
  );

  test.each([
    '127.0.0.1',
    '127.9.9.9',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '0.1.2.3',
    '224.0.0.1',
    '255.255.255.255',
    '240.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '168.63.129.16',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd00:ec2::254',
    'fec0::1',
    'ff02::1',
    '2001::1',
    '2001:db8::1',
    '4000::1',
    'not an address',
    '',
  ])('%s is not', (address) => {
    expect(isPublic(address)).toBe(false);
  });
});

test.each([
  ['[0:0:0:0:0:0:0:1]', '[::1]', true],
  ['[0:0::1]:80', '::1', true],
  ['::1', '[::1]', true],
  ['127.1:80', '127.0.0.1', true],
  ['Example.Test.', 'example.test', true],
  ['example.test:81', 'example.test', false],
  ['example.test', 'www.example.test', false],
])('%s opens %s on port 80: %s', (entry, host, expected) => {
  expect(new AllowList([entry]).has(host, '80')).toBe(expected);
});
