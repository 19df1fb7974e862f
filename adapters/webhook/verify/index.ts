import type { Source } from '../../../src/domain/catalog.ts';
import { verifyGithub } from './github.ts';
import { verifyGitlab } from './gitlab.ts';
import { hmacVerifier } from './hmac.ts';
import type { Verify } from './signature.ts';
import { verifyStandard } from './standard.ts';
import { verifyStripe } from './stripe.ts';

/** The check that a source's kind stands for. */
export function verifierOf(source: Source): Verify {
  switch (source.kind) {
    case 'github':
      return verifyGithub;
    case 'gitlab':
      return verifyGitlab;
    case 'stripe':
      return verifyStripe;
    case 'standard':
      return verifyStandard;
    case 'hmac':
      return hmacVerifier(source.signatureHeader, source.deliveryHeader);
  }
}
